"""The stream that runs now, and the ways in which it dies. Its way to every store leads over a forwarder, that to Kafka
where a test has one."""

import os
import random
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import psutil

from sensorlake.settings import Settings
from stack import supervisor
from stack.layout import Layout
from tests.faults.forwarder import Forwarder
from tests.integration.stream.deployment import Deployment

QUERIES = ("alerts", "lake", "metrics", "postgres", "influxdb", "anomalies")
VICTIMS = ("the whole job", "its Java", "its Python")
START_SECONDS = 240.0
END_SECONDS = 90.0


class Life:
    """A deployment and the process of its stream; the times of what happened are printed."""

    def __init__(self, deployment: Deployment, kafka: Forwarder | None = None) -> None:
        self.deployment, self.kafka = deployment, kafka
        settings = deployment.settings
        self.influxdb = Forwarder(urlsplit(settings.influxdb_url).port or 0)
        self.minio = Forwarder(urlsplit(settings.s3_endpoint).port or 0)
        self.postgres = Forwarder(settings.postgres_port)
        self.stream: subprocess.Popen | None = None
        self._began = time.monotonic()

    def tell(self, what: str) -> None:
        print(f"{time.monotonic() - self._began:7.1f} s  {what}", flush=True)  # noqa: T201  the account of a test

    def spawn(self) -> None:
        """Start the stream; it must not run."""
        (self.deployment.settings.data_dir / "run" / "queries.json").unlink(missing_ok=True)
        kafka = {"kafka_bootstrap_servers": f"127.0.0.1:{self.kafka.port}"} if self.kafka else {}
        self.stream = self.deployment.start(
            "--queries",
            ",".join(QUERIES),
            **kafka,
            influxdb_url=f"http://127.0.0.1:{self.influxdb.port}",
            s3_endpoint=f"http://127.0.0.1:{self.minio.port}",
            postgres_port=self.postgres.port,
        )

    def failures(self) -> dict[str, int]:
        """How often each query has failed."""
        return {name: query["failures"] for name, query in self.deployment.queries().items()}

    def ensure_running(self) -> None:
        """Have the stream with all its queries."""
        began = time.monotonic()
        if self.stream is None or self.stream.poll() is not None:
            self.spawn()
        self.deployment.wait_for("all queries", self.stream, self._is_running)
        if (took := time.monotonic() - began) > 1:
            self.tell(f"all queries run, {took:.1f} s after the start")

    def _is_running(self) -> bool:
        found = self.deployment.queries()
        return found.keys() >= set(QUERIES) and all(found[name]["state"] == "running" for name in QUERIES)

    def kill(self, victim: str = VICTIMS[0]) -> None:
        """SIGKILL for the job or a half of it; what is left of it has to end by itself."""
        assert self.stream is not None
        root = psutil.Process(self.stream.pid)
        family = root.children(recursive=True)
        java = [process for process in family if process.name() == "java"]
        if victim == "its Java" and not java:
            victim = "the whole job"  # which had not started its Java yet
        for process in {"the whole job": [root, *family], "its Java": java, "its Python": [root]}[victim]:
            process.kill()
        began = time.monotonic()
        self.stream.wait(END_SECONDS)
        _, left = psutil.wait_procs(family, END_SECONDS)
        assert left == [], f"{victim} was killed, and {END_SECONDS:.0f} s later these still run"
        self.tell(f"kill -9 of {victim}; nothing of it is left {time.monotonic() - began:.1f} s later")

    def __enter__(self) -> "Life":
        return self

    def __exit__(self, *_: object) -> None:
        if self.stream is not None and self.stream.poll() is None:
            self.kill()
        for forwarder in (self.influxdb, self.minio, self.postgres):
            forwarder.close()


def moments(kills: int, tell: Callable[[str], None]) -> random.Random:
    """Chance for the moments of so many kills, told so that a run can be repeated."""
    seed = int(os.environ.get("FAULTS_SEED") or time.time_ns() % 10**6)
    tell(f"{kills} kills; the same moments again: FAULTS_SEED={seed}")
    return random.Random(seed)  # noqa: S311  moments, no secrets


def kill_job(stream: "subprocess.Popen[bytes]") -> None:
    """SIGKILL for the whole job, which may be ending."""
    root = psutil.Process(stream.pid)
    family = [root, *root.children(recursive=True)]
    for process in family:
        with suppress(psutil.NoSuchProcess):
            process.kill()
    stream.wait(END_SECONDS)
    _, left = psutil.wait_procs(family, END_SECONDS)
    assert left == []


@contextmanager
def down(settings: Settings, server: str) -> Iterator[None]:
    """`kill -9` of a server, which stays away within the block; afterwards its supervisor starts it again, as ever."""
    layout = Layout.of(settings)
    victim = psutil.Process(supervisor.processes(layout)[server].pid)
    family = [victim, *victim.children(recursive=True)]
    guardian = supervisor.call(layout, "getPID")
    os.kill(guardian, signal.SIGSTOP)
    try:
        for process in family:
            process.kill()
        yield
    finally:
        os.kill(guardian, signal.SIGCONT)
