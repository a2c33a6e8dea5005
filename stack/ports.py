"""Which ports the servers listen on: the usual ones, or the next free ones, the same again at the next start."""

import json
import socket
from collections.abc import Callable, Mapping
from pathlib import Path

from sensorlake.errors import StackError

USUAL = {"kafka": 9092, "kafka_controller": 9093, "minio": 9000, "postgres": 5432, "influxdb": 8086}
USUAL |= {"dagster": 3000, "dagster-code": 4266, "model-server": 8501}
_TRIES = 500


def is_free(port: int) -> bool:
    """Can a server listen on this port of 127.0.0.1 now?"""
    with socket.socket() as probe:
        # As servers do: a port whose old connections are only waiting to be forgotten counts as free.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def choose(
    *,
    demanded: Mapping[str, int],
    recorded: Mapping[str, int],
    in_use: frozenset[str] = frozenset(),
    free: Callable[[int], bool] = is_free,
) -> dict[str, int]:
    """A port for each name in `USUAL`.

    Args:
        demanded: ports that the user set; they are used or refused, never replaced.
        recorded: ports of the last start, kept where still free.
        in_use: names whose server runs already, so that its own port is rightly taken.

    Raises:
        StackError: a demanded port is taken, or no free one was found.
    """
    chosen: dict[str, int] = {name: recorded[name] for name in USUAL if name in in_use and name in recorded}
    for name, port in demanded.items():
        if name in chosen:
            continue
        if not free(port):
            raise StackError(
                f"port {port}, set for {name}, is taken by another program (`ss -ltnp 'sport = :{port}'` names it).\n"
                "Stop that program, or unset the setting: then a free port is found."
            )
        chosen[name] = port
    for name, usual in USUAL.items():
        if name in chosen:
            continue
        wanted = recorded.get(name, usual)
        taken = set(chosen.values())
        others = {port for other, port in (USUAL | dict(recorded)).items() if other != name}
        candidates = [wanted, *range(usual, usual + _TRIES)]
        found = next((p for p in candidates if p not in taken and (p == wanted or p not in others) and free(p)), None)
        if found is None:
            raise StackError(f"no free port between {usual} and {usual + _TRIES} for {name}")
        chosen[name] = found
    return {name: chosen[name] for name in USUAL}


def read(path: Path) -> dict[str, int]:
    """The ports of the last start; none where the file is missing or damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return {name: port for name, port in content.items() if name in USUAL and isinstance(port, int)}


def write(path: Path, ports: Mapping[str, int]) -> None:
    new = path.with_suffix(".new")
    new.write_text(json.dumps(dict(ports)) + "\n", encoding="utf-8")
    new.replace(path)
