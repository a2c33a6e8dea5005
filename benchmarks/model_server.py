"""What the model server needs for sequences of an LSTM autoencoder of full size.

The server is a process of its own, bound to one processor or some; who asks runs on the others. The network has learned
for one epoch from noise: what it answers is worth nothing, and takes as long as any other.
"""

import http.client
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import psutil  # type: ignore[import-untyped]

from benchmarks import percentiles
from benchmarks.errors import BenchmarkError
from detection.models import lstm_autoencoder
from lakehouse.models.store import LSTM_AUTOENCODER, ModelStore
from sensorlake.settings import PREFIX

BATCH = 64
LATENCY_AIM_MS = 20.0
RATE_AIM = 1000.0
_PATH = f"/v1/models/{LSTM_AUTOENCODER}:predict"
_CALLERS = 4
_WARM_UP = 20
_START_SECONDS = 300
Report = Callable[[str], None]


@dataclass(frozen=True)
class Measured:
    """Of one library: milliseconds of a batch alone, and what several callers got at the same time.

    per_cpu_second: sequences a second of the server's processor time, which other load on the machine changes least.
    """

    engine: str
    milliseconds: dict[str, float | None]
    sequences_per_second: float
    per_cpu_second: float
    memory_mb: float

    @property
    def latency_met(self) -> bool:
        p99 = self.milliseconds["p99"]
        return p99 is not None and p99 <= LATENCY_AIM_MS

    @property
    def rate_met(self) -> bool:
        return self.sequences_per_second >= RATE_AIM


def run(engines: Sequence[str], threads: int, requests: int, seconds: float, report: Report) -> list[Measured]:
    """
    Raises:
        BenchmarkError: the server does not start, or refuses.
        ModelError: the extra `models` is not installed.
    """
    with tempfile.TemporaryDirectory(prefix="sensorlake-bench-") as folder:
        report("making a network of full size")
        bucket, key = Path(folder) / "bucket", secrets.token_hex(24)
        _publish(ModelStore.in_folder(bucket, key), Path(folder) / "draft")
        measured = []
        for engine in engines:
            processors = sorted(os.sched_getaffinity(0))
            own, others = processors[-threads:], processors[:-threads]
            report(f"{engine}: starting a server on processors {own}")
            with _server(engine, bucket, key, own) as (process, port):
                os.sched_setaffinity(0, others or processors)
                try:
                    measured.append(_measure(engine, process, port, (requests, seconds), report))
                finally:
                    os.sched_setaffinity(0, processors)
        return measured


def _publish(store: ModelStore, draft: Path) -> None:
    noise = np.random.default_rng(0).normal(size=(2 * BATCH, 50, 6)).astype(np.float32)
    made = lstm_autoencoder.train(noise[:BATCH], noise[BATCH:], lstm_autoencoder.Sizes(epochs=1), seed=0)
    made.export(draft)
    store.publish(LSTM_AUTOENCODER, draft, training_set={}, parameters=made.parameters, metrics={})


def _measure(engine: str, process: psutil.Process, port: int, much: tuple[int, float], report: Report) -> Measured:
    requests, seconds = much
    report(f"{engine}: {requests} batches of {BATCH}, one after the other")
    latencies = _one_by_one(port, requests)
    report(f"{engine}: {_CALLERS} callers for {seconds:g} s")
    before = process.cpu_times()
    answered, took = _together(port, seconds)
    after = process.cpu_times()
    spent = after.user + after.system - before.user - before.system
    memory = process.memory_info().rss / 2**20
    return Measured(
        engine, percentiles.summary(latencies), round(answered / took), round(answered / spent), round(memory)
    )


@contextmanager
def _server(engine: str, bucket: Path, key: str, processors: Sequence[int]) -> Iterator[tuple[psutil.Process, int]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    command = [str(Path(sys.prefix) / "bin" / "sensorlake"), "serve-models", "--folder", str(bucket)]
    command += ["--engine", engine, "--threads", str(len(processors)), "--port", str(port), "--poll-seconds", "3600"]
    variables = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    variables |= {PREFIX + "DATA_DIR": str(bucket.parent), PREFIX + "MODEL_SIGNING_KEY": key}
    log = bucket.parent / f"{engine}.log"
    with log.open("wb") as written:
        server = subprocess.Popen(command, env=variables, cwd=bucket.parent, stderr=written)
    try:
        process = psutil.Process(server.pid)
        process.cpu_affinity(list(processors))  # threads that it starts from now on inherit it
        deadline = time.monotonic() + _START_SECONDS
        while not _answers(port):
            if server.poll() is not None or time.monotonic() > deadline:
                raise BenchmarkError(f"the model server did not start:\n{log.read_text('utf-8', 'replace')[-2000:]}")
            time.sleep(0.1)
        yield process, port
    finally:
        server.terminate()
        server.wait(60)


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/healthz")
        return bool(orjson.loads(connection.getresponse().read())["models"].get(LSTM_AUTOENCODER))
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _one_by_one(port: int, requests: int) -> percentiles.Floats:
    """Milliseconds of each request, from its first byte sent to its last received."""
    body, milliseconds = _body(), []
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    for number in range(_WARM_UP + requests):
        began = time.perf_counter()
        _ask(connection, body)
        if number >= _WARM_UP:
            milliseconds.append((time.perf_counter() - began) * 1000)
    connection.close()
    return np.array(milliseconds)


def _together(port: int, seconds: float) -> tuple[int, float]:
    """(sequences answered, seconds) of several callers who each ask again at once."""
    body, answered, began = _body(), [0] * _CALLERS, time.perf_counter()

    def caller(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        while time.perf_counter() < began + seconds:
            _ask(connection, body)
            answered[number] += BATCH
        connection.close()

    threads = [threading.Thread(target=caller, args=(number,)) for number in range(_CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(answered), time.perf_counter() - began


def _body() -> bytes:
    sequences = np.random.default_rng(1).normal(size=(BATCH, 50, 6)).astype(np.float32)
    return orjson.dumps({"inputs": {lstm_autoencoder.INPUT: sequences}}, option=orjson.OPT_SERIALIZE_NUMPY)


def _ask(connection: http.client.HTTPConnection, body: bytes) -> None:
    connection.request("POST", _PATH, body)
    answer = connection.getresponse()
    content = answer.read()
    if answer.status != 200:
        raise BenchmarkError(f"the model server refuses with {answer.status}: {content[:200]!r}")
