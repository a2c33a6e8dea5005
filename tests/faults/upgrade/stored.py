"""What the release before keeps, small enough to lie in the repository: checkpoints of its stream, its tables in the
lake, and the fleet of a change of shards. Tests start from it that shall not need the history of this clone.

    python -m tests.faults.upgrade.stored      makes it anew, from the release that `previous.py` names; takes a minute
"""

import tarfile
import tempfile
import time
from io import BytesIO
from pathlib import Path

from tests.faults.stream import accounts
from tests.faults.upgrade.previous import VERSION, extracted
from tests.faults.upgrade.upgrade import Upgrade, ours

ARCHIVE = Path(__file__).with_name(f"stored-by-{VERSION}.tar.gz")
DEVICES = ("one", "two", "three")
"""How the names of the devices end that have sent."""

ALL_TABLES = """
from lakehouse import creation
from lakehouse.lake import Lake
from lakehouse.tables import TABLES
from sensorlake import settings
for table in TABLES:
    creation.ensure(Lake.of(settings.load()), table)
"""


def unpacked(folder: Path) -> Path:
    """`checkpoints`, `lake` and `seeds` in a folder."""
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(folder, filter="data")
    return folder


def _make(folder: Path) -> None:
    made = Upgrade(extracted(folder / "tree"), folder)
    try:
        made.begin()
        deployment = made.deployment
        for _ in range(15):
            for device in DEVICES:
                name = f"{deployment.name}-{device}"
                deployment.send([deployment.reading(device=name, alert=device == DEVICES[0])])
            deployment.send([(b"bad", b"no reading", "malformed")])
            time.sleep(0.5)  # a batch of detect
        accounts.settled(deployment, 120)
        made.stop_stream()
        made.previous.python(ALL_TABLES, **ours(deployment.environment()))
        _pack(made, folder)
    finally:
        made.end()


def _pack(made: Upgrade, folder: Path) -> None:
    settings, root = made.deployment.settings, made.checkpoints
    with tarfile.open(ARCHIVE, "w:gz") as archive:
        archive.add(root, "checkpoints", filter=_plain)
        with made.deployment._s3() as storage:
            for each in storage.list_objects_v2(Bucket=settings.lake_bucket)["Contents"]:
                content = storage.get_object(Bucket=settings.lake_bucket, Key=each["Key"])["Body"].read()
                _add(archive, f"lake/{each['Key']}", content)
        made.previous.run("reshard", **ours(made.deployment.environment(detect_shards=1)))
        for seed in (root / "detect" / "seeds").iterdir():
            _add(archive, f"seeds/{seed.name}", seed.read_bytes())
    print(f"{ARCHIVE}: {ARCHIVE.stat().st_size} bytes")  # noqa: T201


def _plain(found: tarfile.TarInfo) -> tarfile.TarInfo | None:
    found.uid = found.gid = 0
    found.uname = found.gname = ""
    return None if found.name.endswith((".lock", ".crc")) else found


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, BytesIO(content))


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as scratch:
        _make(Path(scratch))
