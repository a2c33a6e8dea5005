"""The same stateless job in three engines, each a process of its own: how it is started, on what, and with what."""

import os
import shutil
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.peers import environments
from contracts.topics import Topics
from sensorlake.settings import PREFIX, Settings
from stack import cache, jars, java

_HERE = Path(__file__).parent
LIMITS_TABLE = "peer_limits"


@dataclass(frozen=True)
class Job:
    """One start of an engine: `folder` is its own and empty, `limits` a file of JSON lines."""

    settings: Settings
    topics: Topics
    folder: Path
    limits: Path


@dataclass(frozen=True)
class Engine:
    """`start`: the command and what it finds in its environment. `processes`: how many of the command share the job."""

    name: str
    start: Callable[[Job], tuple[list[str], Mapping[str, str]]]
    processes: int = 1


def sensorlake(job: Job) -> tuple[list[str], Mapping[str, str]]:
    """The stream with the query `alerts` alone, its data folder another than that of the servers."""
    data = job.folder / "data"
    data.mkdir(mode=0o700)
    for file in (job.settings.addresses_file, job.settings.credentials_file):
        shutil.copy(file, data / file.name)
    program = Path(sys.executable).with_name("sensorlake")
    own = {PREFIX + "DATA_DIR": str(data), PREFIX + "TOPIC_PREFIX": job.topics.prefix}
    return [str(program), "stream", "--queries", "alerts"], own


def flink(job: Job) -> tuple[list[str], Mapping[str, str]]:
    """Flink SQL, submitted from Python to a cluster within the process."""
    settings = job.settings
    limits = {
        "url": f"jdbc:postgresql://{settings.postgres_host}:{settings.postgres_port}/{settings.postgres_database}",
        "table": LIMITS_TABLE,
        "user": settings.postgres_user,
        "password": settings.postgres_password.get_secret_value(),
    }
    given = _given(job) | {
        "limits": limits,
        "jars": [str(path) for path in jars.jar_paths("flink")],
        "parallelism": settings.kafka_partitions,
    }
    file = _private(job.folder / "job.json", given)
    command = [str(environments.ensure("flink")), str(_HERE / "flink_job.py"), str(file)]
    return command, {"JAVA_HOME": str(java.java_home())}


def quix(job: Job) -> tuple[list[str], Mapping[str, str]]:
    file = _private(job.folder / "job.json", _given(job) | {"limits": str(job.limits)})
    return [str(environments.ensure("quix")), str(_HERE / "quix_job.py"), str(file)], {
        "Quix__State__Dir": str(job.folder)
    }


ENGINES = {
    engine.name: engine
    for engine in (
        Engine("sensorlake", sensorlake),
        Engine("flink-sql", flink),
        Engine("quix", quix),
        Engine("quix-2", quix, processes=2),
    )
}


def prepare(names: list[str]) -> None:
    """Have what the engines need, before anything is measured.

    Raises:
        BenchmarkError, StackError: it could not be had.
    """
    if "flink-sql" in names:
        with cache.locked("jars-flink"):
            jars.ensure("flink")
        environments.ensure("flink")
    if any(name.startswith("quix") for name in names):
        environments.ensure("quix")


def environment(own: Mapping[str, str]) -> dict[str, str]:
    """That of the engine's process: nothing of ours but what it is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX) and name != "PYTHONPATH"}
    return kept | dict(own)


def _given(job: Job) -> dict[str, object]:
    topics = {"raw": job.topics.raw, "anomaly": job.topics.anomaly, "dead_letter": job.topics.dead_letter}
    return {"servers": job.settings.kafka_bootstrap_servers, "topics": topics}


def _private(path: Path, given: Mapping[str, object]) -> Path:
    """In a file, as a command line can be read by all and holds a password."""
    path.touch(mode=0o600)
    path.write_bytes(orjson.dumps(given))
    return path
