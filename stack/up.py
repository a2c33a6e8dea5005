"""Brings the local servers of one data folder up, and down again."""

import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from sensorlake import settings as settings_module
from sensorlake.errors import StackError
from sensorlake.settings import Settings
from stack import addresses, credentials, environment, ports, selection, supervisor
from stack.layout import Layout, Stack
from stack.program import Program
from stack.security import certificates, choice, logins
from stack.service import Service
from stack.services.all import SERVERS, SERVICES, WAVES
from stack.supervisor import ProcessInfo

READY_SECONDS = 120
Report = Callable[[str, str], None]
Furnish = Callable[[Settings], None]
Begun = Callable[[bool], None]


def bring_up(
    settings: Settings,
    names: list[str],
    report: Report = lambda _name, _event: None,
    furnish: Furnish = lambda _settings: None,
    begun: Begun = lambda _is_first: None,
) -> Settings:
    """Start the services `names` and wait until each answers and holds what clients expect; the settings to use then.

    Those that run already are left alone. `report` is called with a service and what happens to it. `furnish` makes
    what is expected in the servers: it is called when they are ready, and before Dagster starts, which works with it.
    `begun` is told, once nobody else can start or stop them, whether none of them ran yet.

    Raises:
        StackError: saying which server failed, with the end of its log.
    """
    layout = Layout.of(settings)
    layout.make()
    with _exclusive(layout):
        begun(not supervisor.is_running(layout))
        settings = settings_module.load(
            settings.data_dir
        )  # another `up` may have written addresses since they were read
        # Two clones that start at once must not choose the same port: it is theirs only when their server listens.
        with _choosing_ports(report):
            stack = _settle(settings, layout, names)
            _start_all(stack, selection.programs(names), report, furnish)
        return settings_module.load(settings.data_dir)


def bring_down(settings: Settings) -> None:
    """Stop everything of this data folder; no process of it is left."""
    layout = Layout.of(settings)
    if not layout.run.is_dir():
        return
    with _exclusive(layout):
        supervisor.shut_down(layout)


def stream_program(layout: Layout) -> Program:
    """The Spark application; it counts as started after half a minute, for its own start takes a while."""
    command = [str(Path(sys.prefix) / "bin" / "sensorlake"), "stream"]
    variables = environment.settings_of(os.environ) | {settings_module.PREFIX + "DATA_DIR": str(layout.root)}
    return Program("stream", command, Path.cwd(), variables, stop_seconds=25, started_after=30, priority=900)


def _settle(settings: Settings, layout: Layout, names: list[str]) -> Stack:
    """Ports and credentials of this start, written down before any server runs."""
    running = {name for name, info in supervisor.processes(layout).items() if info.state in supervisor.ALIVE}
    if not supervisor.is_running(layout):
        supervisor.clear_leftovers(layout)  # before ports are looked at: a stray server would hold its own
    in_use = frozenset(running | ({"kafka_controller"} if "kafka" in running else set()))
    demanded = addresses.demanded_ports(settings, names)
    chosen = ports.choose(demanded=demanded, recorded=ports.read(layout.ports_file), in_use=in_use)
    ports.write(layout.ports_file, chosen)
    if not choice.secured(settings, os.environ):
        addresses.write(settings, chosen)
        return Stack(settings, layout, chosen, credentials.ensure(settings))
    certificates.ensure(layout.root)
    addresses.write(settings, chosen, str(certificates.authority_file(layout.root)))
    made = credentials.ensure(settings, secure=True)
    logins.ensure(settings, made)
    # As its servers' clients will read them: with their addresses, the authority and the operator's logins.
    return Stack(settings_module.load(settings.data_dir, "operator"), layout, chosen, made)


def _start_all(stack: Stack, names: list[str], report: Report, furnish: Furnish) -> None:
    services = [SERVICES[name] for name in names]
    with ThreadPoolExecutor(max(len(services), 1)) as pool:
        for name in names:
            report(name, "preparing")
        programs = list(pool.map(lambda service: service.prepare(stack), services))
        supervisor.ensure_running(stack.layout, [*programs, stream_program(stack.layout)])
        for wave in WAVES:
            wanted = [service for service in wave if service in services]
            for started in [pool.submit(_start, stack, service, report) for service in wanted]:
                started.result()
            if wave is SERVERS:
                furnish(settings_module.load(stack.settings.data_dir))


def _start(stack: Stack, service: Service, report: Report) -> None:
    report(service.name, "starting")
    supervisor.start(stack.layout, service.name)
    # Dagster yields to all others: where they are busy, it takes its time.
    patience = READY_SECONDS if service in SERVERS else 3 * READY_SECONDS
    deadline, pids = time.monotonic() + patience, set()
    while True:
        info = supervisor.processes(stack.layout).get(service.name)
        late = time.monotonic() > deadline
        pids |= {info.pid} if info and info.pid else set()
        if info and info.state == "RUNNING" and service.is_ready(stack):
            break
        if late or info is None or info.state in ("FATAL", "BACKOFF", "EXITED") or len(pids) > 1:
            why = f"not ready after {patience} s" if late else _why(info, again=len(pids) > 1)
            raise StackError(f"{service.name} did not start: {why}\n{log_end(stack.layout, service.name)}")
        time.sleep(0.1)
    service.after_start(stack)
    report(service.name, "ready")


def _why(info: ProcessInfo | None, *, again: bool) -> str:
    if info is None:
        return "its supervisor ended"
    return "it ended and was started again" if again else info.complaint


def log_end(layout: Layout, name: str, lines: int = 15) -> str:
    """The last lines of a log and where the rest is."""
    path = layout.log_of(name)
    text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
    return "\n".join([*(f"  | {line}" for line in text.splitlines()[-lines:]), f"  (all of it: {path})"])


@contextmanager
def _choosing_ports(report: Report) -> Iterator[None]:
    """One start at a time for all data folders of this user, whichever caches they use."""
    lock = FileLock(Path(tempfile.gettempdir()) / f"sensorlake-{os.getuid()}-ports.lock")
    try:
        lock.acquire(timeout=0.2)
    except Timeout:
        report("ports", "waiting for another stack that is starting")
        lock.acquire()
        report("ports", "ready")
    try:
        yield
    finally:
        lock.release()


@contextmanager
def _exclusive(layout: Layout) -> Iterator[None]:
    """One `up` or `down` a data folder at a time."""
    try:
        with FileLock(layout.run / "up.lock", timeout=READY_SECONDS):
            yield
    except Timeout:
        raise StackError(f"another `sensorlake up` or `down` is busy in {layout.root}") from None
