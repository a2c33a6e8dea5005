"""Who writes the lake's tables now: a small object in the lake itself, for each query that writes some, which its
stream renews while it lives.

Two streams with checkpoints of their own would both append to one table, and each reading would be there twice. The
lock on the checkpoints (checkpoint_lock.py) tells nothing of a stream on other checkpoints or another machine.

    claim    nothing there, or this stream's own, or not renewed for a minute: written, on the condition that nobody
             else has written meanwhile. Anything else is refused
    renew    every ten seconds. One that another has taken meanwhile ends the stream
    release  deleted. A stream that was killed leaves its own behind, which it knows again by its checkpoints

A storage that does not answer claims and refuses nothing: nothing can be written there either.
"""

import json
import os
import socket
import threading
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog

from sensorlake import connections
from sensorlake.errors import StreamError
from sensorlake.settings import Settings

log = structlog.get_logger(__name__)

WRITERS = ("lake", "anomalies")
FORGOTTEN_SECONDS = 60.0
_RENEW_SECONDS = 10.0
_TAKEN = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")


class Lease:
    """The right of one stream to the tables that `queries` write."""

    def __init__(self, settings: Settings, queries: Sequence[str], every: float = _RENEW_SECONDS) -> None:
        self.refusal: StreamError | None = None
        self._settings = settings
        self._names = [f"_writers/{query}.json" for query in queries if query in WRITERS]
        self._owner = f"{_identity(settings.checkpoint_dir)} on {socket.gethostname()}"
        self._client: Any = None
        self._every = every
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._renew, name="lease", daemon=True)

    def claim(self) -> None:
        """Have the right, and keep it until `release`.

        Raises:
            StreamError: another stream has it.
        """
        for name in self._names:
            try:
                self._claim(name)
            except OSError as error:
                log.warning("the lake does not say who writes it: it is asked again", error=str(error))
        if self._names:
            self._thread.start()

    def release(self) -> None:
        """Give the right back, where it is still this stream's."""
        self._closed.set()
        if not self._thread.is_alive():
            return
        self._thread.join()
        if self.refusal is not None:
            return
        for name in self._names:
            try:
                held, _, _ = self._read(name)
                if held is not None and held.get("owner") == self._owner:
                    self._ask("delete_object", Key=name)
            except OSError as error:
                log.warning("the lake still names this stream as its writer, for a minute", error=str(error))
        if self._client is not None:
            self._client.close()

    def require(self) -> None:
        """
        Raises:
            StreamError: another stream has taken the right meanwhile.
        """
        if self.refusal is not None:
            raise self.refusal

    def _renew(self) -> None:
        while not self._closed.wait(self._every):
            for name in self._names:
                try:
                    self._claim(name)
                except OSError:
                    continue  # the queries that write there say so themselves
                except StreamError as error:
                    self.refusal = error
                    return

    def _claim(self, name: str) -> None:
        held, version, age = self._read(name)
        if held is not None and held.get("owner") != self._owner and age < FORGOTTEN_SECONDS:
            raise self._refused(held, age)
        mine = {
            "owner": self._owner,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "checkpoints": str(self._settings.checkpoint_dir),
        }
        condition = {"IfMatch": version} if version else {"IfNoneMatch": "*"}
        if self._ask("put_object", Key=name, Body=json.dumps(mine).encode(), unless=_TAKEN, **condition) is None:
            held, _, age = self._read(name)  # somebody was faster
            raise self._refused(held or {}, age)

    def _read(self, name: str) -> tuple[dict[str, Any] | None, str, float]:
        """What stands there, its version, and how many seconds ago it was written by the storage's own clock."""
        found = self._ask("get_object", Key=name, unless=("NoSuchKey", "404"))
        if found is None:
            return None, "", 0.0
        try:
            held = json.loads(found["Content"])
        except ValueError:
            held = {}
        told = found["ResponseMetadata"]["HTTPHeaders"]["date"]
        now = datetime.strptime(told, "%a, %d %b %Y %H:%M:%S %Z").replace(tzinfo=UTC)
        return held, found["ETag"], (now - found["LastModified"]).total_seconds()

    def _refused(self, held: dict[str, Any], age: float) -> StreamError:
        bucket = self._settings.lake_bucket
        return StreamError(
            f"another `sensorlake stream` writes the tables in the lake {bucket}: process {held.get('pid', '?')} on "
            f"{held.get('host', '?')} with the checkpoints in {held.get('checkpoints', '?')}, last heard of "
            f"{max(age, 0):.0f} s ago. Two would store each reading twice. Stop that one first, or give this one a "
            f"lake of its own (SENSORLAKE_LAKE_BUCKET). One that was lost with its machine is forgotten after "
            f"{FORGOTTEN_SECONDS:.0f} s."
        )

    def _ask(self, operation: str, *, unless: tuple[str, ...] = (), **given: Any) -> Any:
        """The answer; None where the storage answers with one of the codes `unless`.

        Raises:
            OSError: the storage does not answer, or refuses.
        """
        from botocore.exceptions import BotoCoreError, ClientError  # noqa: PLC0415  half a second

        try:
            answer = getattr(self._opened(), operation)(Bucket=self._settings.lake_bucket, **given)
            # Read here, as the storage may go away in the middle.
            return answer | {"Content": answer["Body"].read()} if "Body" in answer else answer
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") in unless:
                return None
            raise OSError(str(error)) from None
        except BotoCoreError as error:
            raise OSError(str(error)) from None

    def _opened(self) -> Any:
        if self._client is None:
            import boto3  # noqa: PLC0415  half a second
            from botocore.config import Config  # noqa: PLC0415

            self._client = boto3.session.Session(
                aws_access_key_id=self._settings.s3_access_key,
                aws_secret_access_key=self._settings.s3_secret_key.get_secret_value(),
                region_name="us-east-1",
            ).client(
                "s3",
                endpoint_url=self._settings.s3_endpoint,
                config=Config(
                    s3={"addressing_style": "path"},
                    retries={"total_max_attempts": 1},
                    connect_timeout=5,
                    read_timeout=10,
                ),
                verify=connections.certificates(self._settings),
            )
        return self._client


def _identity(checkpoints: Path) -> str:
    """What names the stream of these checkpoints, whenever it is started again."""
    note = checkpoints / "stream-id"
    if not note.is_file() or not note.read_text("ascii").strip():
        checkpoints.mkdir(parents=True, exist_ok=True)
        fresh = note.with_suffix(".new")
        fresh.write_text(uuid.uuid4().hex, "ascii")
        fresh.replace(note)
    return note.read_text("ascii").strip()
