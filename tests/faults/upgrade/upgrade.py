"""Servers and a stream of the release before, stopped or killed, and today's in their place."""

import itertools
import json
import os
import random
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
from alembic.script import ScriptDirectory

from contracts.detectors import learned
from detection.detectors.missing import Missing
from lakehouse.postgres import connect
from lakehouse.registry import migration
from orchestration.watching.query_health import WRITES
from sensorlake import settings as settings_module
from sensorlake.settings import PREFIX, Settings
from stack import leftovers, ports
from stack.up import bring_down
from streaming import checkpoints
from tests.faults.stream import accounts
from tests.faults.upgrade.previous import VERSION, Previous
from tests.integration.stream.deployment import COMMAND, Deployment

SERVERS = ["kafka", "minio", "postgres", "influxdb"]
FLEET, LEAVING, VIOLATING = 60, 6, 3
SILENCE = learned(Missing.name)


class Upgrade:
    """Servers, a deployment on them, and the stream that runs there now: first of the release before, then today's."""

    def __init__(self, previous: Previous, folder: Path) -> None:
        self.previous = previous
        self.data = folder / "data"
        self.deployment: Deployment
        self.stream: subprocess.Popen[bytes] | None = None
        self._own = folder / "stream"
        self._began = time.monotonic()
        self.left = threading.Event()

    def tell(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {what}", flush=True)  # noqa: T201  the account of a test

    @property
    def checkpoints(self) -> Path:
        return self.deployment.settings.checkpoint_dir

    def begin(self) -> None:
        """Servers and stream of the release before."""
        # Not the usual ports: another stack would take those while everything here is dead.
        own = unusual_addresses() | {PREFIX + "DATA_DIR": str(self.data)}
        self.previous.run("up", "--detach", "--only", ",".join(SERVERS), **own)
        self.tell(f"version {VERSION}: its servers run")
        self._own.mkdir()
        self.deployment = Deployment(settings_module.load(self.data), self._own)
        assert migrations(self.deployment.settings) < newest_migration()
        self.stream = self.previous.start("stream", log=self._own / "stream.log", **ours(self.deployment.environment()))
        self.wait_until_all_run()
        self.tell(f"version {VERSION}: all its queries run")

    def stop_stream(self) -> None:
        assert self.stream is not None
        self.stream.send_signal(signal.SIGTERM)
        assert self.stream.wait(60) == 0

    def stop_in_order(self) -> None:
        self.stop_stream()
        self.previous.run("down", **{PREFIX + "DATA_DIR": str(self.data)})
        self.tell("stream and servers were stopped in order")

    def kill_everything(self) -> None:
        assert self.stream is not None
        root = psutil.Process(self.stream.pid)
        victims = [root, *root.children(recursive=True), *leftovers.find(self.data)]
        for process in victims:
            process.kill()
        self.stream.wait(30)
        psutil.wait_procs(victims, 30)
        self.tell(f"kill -9 of the stream, the servers and their supervisor: {len(victims)} processes")

    def bring_servers_up(self) -> None:
        """By today's command, as an operator would."""
        todays(self.data, "up", "--detach", "--only", ",".join(SERVERS))
        assert addresses(settings_module.load(self.data)) == addresses(self.deployment.settings)
        assert migrations(self.deployment.settings) == newest_migration()
        self.tell("today's version: the servers run, the registry is migrated")

    def start(self) -> None:
        (self._own / "run" / "queries.json").unlink()
        self.stream = self.deployment.start()

    def wait_until_all_run(self) -> None:
        def run() -> bool:
            found = self.deployment.queries()
            return found.keys() == WRITES.keys() and {each["state"] for each in found.values()} == {"running"}

        self.deployment.wait_for("all queries", self.stream, run)

    def fleet(self) -> Iterator[tuple[bytes, bytes, list[tuple[str, str | None]]]]:
        """Readings of each device in turn; some send nothing but values beyond their limit, some leave one day."""
        for number in itertools.cycle(range(FLEET)):
            if number < FLEET - LEAVING or not self.left.is_set():
                yield self.deployment.reading(device=self.device(number), alert=number < VIOLATING)

    def device(self, number: int) -> str:
        return f"{self.deployment.name}-fleet-{number}"

    def silent(self) -> set[str]:
        """Devices that detect has told silent, by the topic of anomalies."""
        messages = accounts.everything(self.deployment, self.deployment.topics.anomaly)
        return {found["device_id"] for found in map(json.loads, messages) if found["detector"] == SILENCE}

    def progress(self) -> dict[str, tuple[str, int]]:
        """Of each query the id of its checkpoint and its last batch."""
        root = self.checkpoints
        return {
            name: (checkpoints.application_id(root / name), checkpoints.last_batch(root / name) or 0) for name in WRITES
        }

    def require_balance(self) -> None:
        """Of the ids that the load knows, and of those that the detectors found besides."""
        deployment = self.deployment

        def all_are_judged() -> bool:
            judged = deployment.queries()["detect"]["lag"] == 0
            return judged and deployment.anomalies <= set(accounts.of_topic(deployment))

        deployment.wait_for("all to be judged", self.stream, all_are_judged)
        deployment.anomalies |= set(accounts.of_topic(deployment))
        self.tell(f"all there after {accounts.settled(deployment)} s")
        accounts.require_nothing_lost_or_doubled(deployment, self.tell)

    def end(self) -> None:
        if self.stream is not None and self.stream.poll() is None:
            self.stream.kill()
            self.stream.wait(30)
        bring_down(settings_module.load(self.data))
        assert leftovers.find(self.data) == []


def todays(data: Path, *arguments: str) -> str:
    """What a command of today's version says that succeeds."""
    done = subprocess.run(
        [*COMMAND, *arguments],
        env=os.environ | {PREFIX + "DATA_DIR": str(data)},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def unusual_addresses() -> dict[str, str]:
    """Settings of free ports that nobody gets by chance: below those that the kernel gives to clients."""
    free = (port for port in random.sample(range(20_000, 30_000), 100) if ports.is_free(port))
    kafka, minio, postgres, influxdb = itertools.islice(free, 4)
    return {
        PREFIX + "KAFKA_BOOTSTRAP_SERVERS": f"127.0.0.1:{kafka}",
        PREFIX + "S3_ENDPOINT": f"http://127.0.0.1:{minio}",
        PREFIX + "POSTGRES_PORT": str(postgres),
        PREFIX + "INFLUXDB_URL": f"http://127.0.0.1:{influxdb}",
    }


def ours(environment: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(PREFIX)}


def addresses(settings: Settings) -> tuple[str, str, int, str]:
    return settings.kafka_bootstrap_servers, settings.s3_endpoint, settings.postgres_port, settings.influxdb_url


def migrations(settings: Settings) -> str:
    connection = connect(settings, "test")
    try:
        return str(connection.run("select version_num from registry.migrations")[0][0])
    finally:
        connection.close()


def newest_migration() -> str:
    return str(ScriptDirectory.from_config(migration.config()).get_current_head())
