"""A model server of a test's own: a process on a free port, over published models in a folder."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sensorlake.settings import PREFIX
from tests.free_port import free_port

KEY = "k" * 40
TOKEN = "let me in"


@dataclass(frozen=True)
class ModelServer:
    port: int
    process: subprocess.Popen[bytes]
    token: str = ""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ask(self, method: str, path: str, body: Any = None, token: str | None = None) -> tuple[int, Any]:
        """Status and content of the answer; `body` as it is where it is text, otherwise as JSON."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        shown = self.token if token is None else token
        headers = {"Authorization": f"Bearer {shown}"} if shown else {}
        sent = body if body is None or isinstance(body, str) else json.dumps(body)
        try:
            connection.request(method, path, sent, headers)
            answer = connection.getresponse()
            assert answer.headers["content-type"] == "application/json"
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def wait_for(self, name: str, version: int | None, seconds: float = 120) -> None:
        """Until this version answers by default."""
        self.wait_until(lambda: self.ask("GET", "/healthz")[1]["models"].get(name) == version, seconds)

    def wait_until(self, met: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not met():
            assert self.process.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "not in time"
            time.sleep(0.02)


@contextmanager
def running(bucket: Path, *options: str, token: str = "") -> Iterator[ModelServer]:
    """The server over the models of `bucket`; it is told to end when the block does, and must end well."""
    port = free_port()
    variables = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    variables |= {
        PREFIX + "DATA_DIR": str(bucket.parent / "data"),
        PREFIX + "MODEL_SIGNING_KEY": KEY,
        PREFIX + "MODEL_SERVER_TOKEN": token,
    }
    command = [str(Path(sys.prefix) / "bin" / "sensorlake"), "serve-models", "--folder", str(bucket)]
    command += ["--port", str(port), "--poll-seconds", "0.1", *options]
    process = subprocess.Popen(command, env=variables, cwd=bucket.parent)
    server = ModelServer(port, process, token)
    try:
        server.wait_until(lambda: _listens(port))
        yield server
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(30) == 0
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True
