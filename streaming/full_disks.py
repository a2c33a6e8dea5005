"""A disk that is full, said in words: whose it is, where it is and what to do. Every store says it in a way of its own,
somewhere in pages of traces."""

import shutil
from pathlib import Path
from urllib.parse import urlsplit

from sensorlake.settings import Settings
from streaming.supervision import concise

_LOCAL = ("no space left on device", "disk quota exceeded")
_MINIO = ("xminiostoragefull", "minimum free drive threshold")
_POSTGRES = ("'c': '53100'",)


def explained(settings: Settings, error: Exception | None) -> str:
    """What went wrong, on one line."""
    found = place(settings, str(error)) if error is not None else None
    if found is None:
        return concise(error)
    return f"disk full: {found}. Make room there; this query then goes on by itself, and nothing is lost"


def place(settings: Settings, error: str) -> str | None:
    """The disk that is full according to an error; None where none is."""
    said = error.lower()
    if any(sign in said for sign in _MINIO):
        return _server(settings, "the object storage", urlsplit(settings.s3_endpoint).netloc, "minio")
    if any(sign in said for sign in _POSTGRES):
        return _server(settings, "PostgreSQL", f"{settings.postgres_host}:{settings.postgres_port}", "postgres")
    if not any(sign in said for sign in _LOCAL):
        return None
    if "influxdb_client" in said:
        return _server(settings, "InfluxDB", urlsplit(settings.influxdb_url).netloc, "influxdb")
    return f"that of the stream's checkpoints, {_room(settings.checkpoint_dir)}"


def _server(settings: Settings, name: str, address: str, folder: str) -> str:
    own = settings.data_dir.absolute() / folder
    return f"that of {name} at {address}" + (f", {_room(own)}" if own.is_dir() else "")


def _room(folder: Path) -> str:
    usage = shutil.disk_usage(folder)
    return f"{folder} ({usage.free / 2**20:.0f} of {usage.total / 2**20:.0f} MB free)"
