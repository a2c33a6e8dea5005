"""Ports: does anything of this installation listen where other machines reach it?"""

import contextlib
import ipaddress
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from stack import leftovers
from stack.doctor.finding import Finding

AREA = "ports"


@dataclass(frozen=True, order=True)
class Listener:
    """A port that a process listens on."""

    program: str
    pid: int
    address: str
    port: int


def of(root: Path) -> list[Listener]:
    """Every port that the servers, the stream and their children of this data folder listen on."""
    found = set()
    for process in _processes(root):
        with contextlib.suppress(psutil.Error):
            for connection in process.net_connections(kind="inet"):
                if connection.status == psutil.CONN_LISTEN:
                    found.add(Listener(process.name(), process.pid, connection.laddr.ip, connection.laddr.port))
    return sorted(found)


def findings(listeners: Iterable[Listener]) -> list[Finding]:
    return [
        Finding(
            AREA,
            f"{listener.program} (pid {listener.pid}) listens on {listener.address}:{listener.port}",
            "other machines can reach it, and the local servers are meant for this machine alone",
            "stop it, take out the option that sets another address than 127.0.0.1, or close the port in the firewall",
        )
        for listener in listeners
        if not is_local(listener.address)
    ]


def is_local(address: str) -> bool:
    """
    >>> is_local("127.0.0.1"), is_local("::1"), is_local("::ffff:127.0.0.1"), is_local("0.0.0.0"), is_local("::")
    (True, True, True, False, False)
    """
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback


def _processes(root: Path) -> list[psutil.Process]:
    """What the supervisor started, and a stream that was started by hand, which carries no mark."""
    found = {process.pid: process for process in leftovers.find(root)}
    with contextlib.suppress(OSError, ValueError, KeyError, psutil.Error):
        stream = psutil.Process(json.loads((root / "run" / "queries.json").read_text(encoding="utf-8"))["pid"])
        if "stream" in stream.cmdline():
            found |= {process.pid: process for process in (stream, *stream.children(recursive=True))}
    return list(found.values())
