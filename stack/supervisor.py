"""The supervisor of one data folder: started, asked, stopped. It is supervisord, spoken to over its Unix socket."""

import contextlib
import http.client
import os
import subprocess
import sys
import threading
import time
import xmlrpc.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, cast

from supervisor.xmlrpc import SupervisorTransport  # type: ignore[import-untyped]

from sensorlake.errors import StackError
from sensorlake.settings import Settings
from stack import leftovers, supervisor_config
from stack.layout import Layout
from stack.program import Program

ALIVE = ("RUNNING", "STARTING", "STOPPING")
_START_SECONDS = 20
_STOP_SECONDS = 60
# They talk to the servers to the last, and note there that they end.
_BEFORE_THE_SERVERS = ("stream", "model-server", "dagster-daemon", "dagster", "dagster-code")
_ALREADY_STARTED, _NOT_RUNNING, _BAD_NAME = 60, 70, 10


@dataclass(frozen=True)
class ProcessInfo:
    """What the supervisor says of one program; `state` in its own words: RUNNING, STARTING, BACKOFF, FATAL, ..."""

    name: str
    state: str
    pid: int
    complaint: str


def call(layout: Layout, method: str, *arguments: Any) -> Any:
    """One call over the socket.

    Raises:
        OSError: no supervisor listens there.
        xmlrpc.client.Fault: it refuses.
    """
    transport = SupervisorTransport(None, None, f"unix://{layout.socket()}")
    try:
        with xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport) as server:
            return getattr(server.supervisor, method)(*arguments)
    except http.client.HTTPException as error:  # it went away in the middle of the answer
        raise ConnectionError(str(error)) from error


def is_running(layout: Layout) -> bool:
    if not layout.socket().exists():
        return False
    try:
        return cast(bool, call(layout, "getState")["statename"] == "RUNNING")
    except (OSError, xmlrpc.client.Error):
        return False


def processes(layout: Layout) -> dict[str, ProcessInfo]:
    """Every program by name; nothing where no supervisor runs."""
    if not layout.socket().exists():
        return {}
    try:
        infos = call(layout, "getAllProcessInfo")
    except (OSError, xmlrpc.client.Error):
        return {}
    return {
        i["name"]: ProcessInfo(i["name"], i["statename"], i["pid"], i["spawnerr"] or i["description"]) for i in infos
    }


def ensure_running(layout: Layout, programs: Sequence[Program]) -> None:
    """Have a supervisor that knows `programs`; what an earlier one left behind is ended first.

    Raises:
        StackError: it does not come up.
    """
    layout.supervisor_config.write_text(supervisor_config.render(layout, programs), encoding="utf-8")
    layout.supervisor_config.chmod(0o600)
    if is_running(layout):
        _take_up_changes(layout)
        return
    clear_leftovers(layout)
    layout.supervisor_log.unlink(missing_ok=True)  # restarts are counted in it, from this start on
    with (layout.run / "supervisord.out").open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-n", "-c", str(layout.supervisor_config)],
            cwd=layout.root,
            env=os.environ | {supervisor_config.MARKER: str(layout.root)},
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    deadline = time.monotonic() + _START_SECONDS
    while not is_running(layout):
        if process.poll() is not None or time.monotonic() > deadline:
            said = (layout.run / "supervisord.out").read_text(encoding="utf-8", errors="replace").strip()
            said = said.partition("{")[0]  # a complaint about an expansion lists the whole environment
            raise StackError(f"the supervisor did not start:\n{said}\n(see {layout.supervisor_log})")
        time.sleep(0.05)
    # It is meant to outlive this process; while this one lives on (`up` in the foreground), its end is waited for.
    process.returncode = 0
    threading.Thread(target=_reap, args=(process.pid,), daemon=True).start()


def clear_leftovers(layout: Layout) -> None:
    """End what a dead supervisor left running, and remove its socket; must not be called while one runs."""
    leftovers.stop(layout.root)
    layout.remove_socket()


def _reap(pid: int) -> None:
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, 0)


def _take_up_changes(layout: Layout) -> None:
    """Tell a running supervisor of new programs and of changed ones that do not run; what runs is left alone."""
    ((added, changed, _),) = call(layout, "reloadConfig")
    now = processes(layout)
    for name in changed:
        if now[name].state not in ALIVE:
            stop(layout, name)
            call(layout, "removeProcessGroup", name)
            added.append(name)
    for name in added:
        call(layout, "addProcessGroup", name)


def start(layout: Layout, name: str) -> None:
    """Start one program, if it is not running; does not wait until it answers.

    Raises:
        StackError: no supervisor runs, or it does not know the program.
    """
    try:
        call(layout, "startProcess", name, False)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode != _ALREADY_STARTED:
            raise StackError(f"{name} cannot be started: {fault.faultString}") from fault
    except OSError as error:
        raise StackError(f"{name} cannot be started: the local servers are not up (`sensorlake up`)") from error


def stop(layout: Layout, name: str, *, wait: bool = True) -> None:
    """Stop one program and, unless told otherwise, wait until it has ended; nothing to do where it does not run."""
    try:
        call(layout, "stopProcess", name, wait)
    except xmlrpc.client.Fault as fault:
        if fault.faultCode not in (_NOT_RUNNING, _BAD_NAME):
            raise StackError(f"{name} cannot be stopped: {fault.faultString}") from fault
    except OSError:
        return


def shut_down(layout: Layout) -> None:
    """Stop every program and the supervisor; afterwards no process of this data folder is left."""
    if is_running(layout):
        _stop_together(layout, _BEFORE_THE_SERVERS)
        try:
            pid = call(layout, "getPID")
            call(layout, "stopAllProcesses", True)
            call(layout, "shutdown")
        except (OSError, xmlrpc.client.Error):
            pid = 0
        deadline = time.monotonic() + _STOP_SECONDS
        while pid and time.monotonic() < deadline and any(p.pid == pid for p in leftovers.find(layout.root)):
            time.sleep(0.05)
    clear_leftovers(layout)


def _stop_together(layout: Layout, names: Sequence[str]) -> None:
    """Stop these programs at the same time; the supervisor kills those that take too long."""
    for name in names:
        stop(layout, name, wait=False)
    deadline = time.monotonic() + _STOP_SECONDS
    while time.monotonic() < deadline:
        found = processes(layout)
        if not any(found[name].state in ALIVE for name in names if name in found):
            return
        time.sleep(0.05)


def start_program(settings: Settings, name: str) -> None:
    """Start a program such as "stream" under the supervisor that `sensorlake up` started."""
    start(Layout.of(settings), name)


def stop_program(settings: Settings, name: str) -> None:
    """Stop a program such as "stream" and wait until it has ended."""
    stop(Layout.of(settings), name)
