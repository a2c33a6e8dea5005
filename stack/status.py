"""What runs, where, how large it is and how often it had to be restarted, in one JSON-able shape."""

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import psutil  # type: ignore[import-untyped]

from sensorlake.settings import Settings
from stack import disks, ports, selection, supervisor
from stack.layout import Layout
from stack.supervisor import ProcessInfo

SILENT_SECONDS = 60.0
"""The stream says every few seconds how its queries are; one that hangs says nothing."""

_STATES = {"RUNNING": "running", "STARTING": "starting", "BACKOFF": "restarting", "EXITED": "restarting"}
_STATES |= {"FATAL": "failed", "STOPPING": "stopping", "STOPPED": "stopped", "UNKNOWN": "failed"}


def status(settings: Settings, left_out: Sequence[str] = ()) -> dict[str, Any]:
    """`services.NAME.{state, address, pid, rss_mb, restarts}`, `queries.NAME.{...}`, `disks` and `credentials_file`.

    `stream` is among the services once it was started. `queries` is what the stream last wrote; where its process has
    gone each query's state is "stopped". A stopped service that WITHOUT names (`left_out`) is "left out".
    """
    layout = Layout.of(settings)
    processes = supervisor.processes(layout)
    restarts = count_restarts(_text(layout.supervisor_log))
    chosen = ports.read(layout.ports_file)
    services = {
        name: _service(processes.get(name), _address(name, chosen, secure=settings.secure), restarts.get(name, 0))
        for name in selection.programs()
    }
    for name in selection.programs(left_out):
        if services[name]["state"] == "stopped":
            services[name]["state"] = "left out"
    if "stream" in restarts:
        services["stream"] = _service(processes.get("stream"), None, restarts["stream"])
    return {
        "services": services,
        "queries": queries(_text(layout.queries_file)),
        "disks": [_disk(disk) for disk in disks.of(layout.root)],
        "credentials_file": str(settings.credentials_file),
    }


def _disk(disk: disks.Disk) -> dict[str, Any]:
    return {
        "place": str(disk.place),
        "holds": list(disk.holds),
        "free_mb": round(disk.free / 2**20),
        "total_mb": round(disk.total / 2**20),
        "full": disk.complaint,
    }


def count_restarts(log: str) -> dict[str, int]:
    """How often the supervisor started each program again by itself, read from its log since `up`.

    A program that was stopped on request and then started begins anew at 0.
    """
    starts: dict[str, int] = {}
    for spawned, stopped in re.findall(r"spawned: '([^']+)' with pid|(?:INFO|WARN) stopped: (\S+) \(", log):
        if spawned:
            starts[spawned] = starts.get(spawned, 0) + 1
        else:
            starts[stopped] = 0
    return {name: max(count - 1, 0) for name, count in starts.items()}


def queries(text: str) -> dict[str, dict[str, Any]]:
    """The streaming queries of the stream's own report; nothing where there is none or it is damaged."""
    try:
        report = json.loads(text)
        found = {name: dict(query) for name, query in report["queries"].items()}
        alive = _wrote(report["pid"], report.get("updated_at"))
        told_at = report.get("updated_at")
        age = (datetime.now(UTC) - datetime.fromisoformat(told_at)).total_seconds() if told_at else 0.0
    except (ValueError, KeyError, TypeError, AttributeError, psutil.Error):
        return {}
    fields = ("state", "batch", "input_rate", "lag", "last_error")
    shaped = {name: {field: query.get(field) for field in fields} for name, query in found.items()}
    if not alive:
        return {name: query | {"state": "stopped"} for name, query in shaped.items()}
    if age > SILENT_SECONDS:
        silence = {"state": "silent", "last_error": f"the stream has not said for {age:.0f} s how its queries are"}
        return {name: query | silence for name, query in shaped.items()}
    return shaped


def _wrote(pid: int, updated_at: str | None) -> bool:
    """Is the process that wrote the report at `updated_at` alive, and not another that got its pid later?"""
    try:
        process = psutil.Process(pid)
        born = float(process.create_time())
        if updated_at and datetime.fromisoformat(updated_at).timestamp() < born - 1:
            return False
        return bool(process.status() != psutil.STATUS_ZOMBIE)
    except psutil.Error:
        return False


def rss_mb(pid: int) -> float | None:
    """Memory of a process and its children in MB; pages that they share count once."""
    sizes: list[tuple[int, int]] = []
    with contextlib.suppress(psutil.Error):
        root = psutil.Process(pid)
        for process in [root, *root.children(recursive=True)]:
            with contextlib.suppress(psutil.Error):
                memory = process.memory_info()
                sizes.append((memory.rss - memory.shared, memory.shared))
    if not sizes:
        return None
    return round((sum(own for own, _ in sizes) + max(shared for _, shared in sizes)) / 2**20, 1)


def _service(info: ProcessInfo | None, address: str | None, restarts: int) -> dict[str, Any]:
    pid = info.pid if info and info.pid else None
    return {
        "state": _STATES.get(info.state, "failed") if info else "stopped",
        "address": address if info else None,
        "pid": pid,
        "rss_mb": rss_mb(pid) if pid else None,
        "restarts": restarts,
    }


def _address(name: str, chosen: Mapping[str, int], *, secure: bool) -> str | None:
    if name not in chosen:
        return None
    scheme = "http://" if name in ("minio", "influxdb", "dagster", "model-server") else ""
    if secure and name in ("minio", "influxdb"):
        scheme = "https://"
    return f"{scheme}127.0.0.1:{chosen[name]}"


def _text(path: Any) -> str:
    try:
        return str(path.read_text(encoding="utf-8", errors="replace"))
    except OSError:
        return ""
