"""What makes supervisord and its programs outlive a full disk. It is loaded by supervisord itself, as an extension of
its interface.

    a line of a log that cannot be written    is lost; as it comes, supervisord ends when it cannot complain of it
    a program that was given up               is started again within a minute, for ever
    InfluxDB, once there is room again        is started anew: after one failed write to its log of writes it refuses
                                              all others until it ends
"""

import contextlib
import shutil
import signal
from pathlib import Path
from typing import Any

from supervisor import events, loggers  # type: ignore[import-untyped]
from supervisor.states import ProcessStates  # type: ignore[import-untyped]

from stack.disks import LEAST_BYTES

_INFLUXDB = "influxdb"


def begin(supervisord: Any, root: str) -> object:
    """Called once, at the start of the supervisor of the data folder `root`."""
    _lose_lines()
    events.subscribe(events.Tick60Event, lambda _: start_again(supervisord))
    events.subscribe(events.Tick5Event, AfterFullDisk(supervisord, Path(root) / _INFLUXDB, _INFLUXDB))
    return object()  # the methods that it adds to the interface: none


def start_again(supervisord: Any) -> None:
    """Start every program that was given up: what kept it from starting, such as a full disk, may be over."""
    for process in _processes(supervisord):
        if process.get_state() == ProcessStates.FATAL:
            process.spawn()


class AfterFullDisk:
    """Ends the program `name` when its disk was full and has room again; supervisord then starts it anew."""

    def __init__(self, supervisord: Any, folder: Path, name: str) -> None:
        self._supervisord, self._folder, self._name = supervisord, folder, name
        self._was_full = False

    def __call__(self, _: object = None) -> None:
        try:
            free = shutil.disk_usage(self._folder).free
        except OSError:  # not made yet
            return
        if free < LEAST_BYTES:
            self._was_full = True
        elif self._was_full and free >= 2 * LEAST_BYTES:
            self._was_full = False
            for process in _processes(self._supervisord):
                if process.config.name == self._name and process.get_state() == ProcessStates.RUNNING:
                    process.signal(signal.SIGTERM)


def _processes(supervisord: Any) -> list[Any]:
    return [process for group in supervisord.process_groups.values() for process in group.processes.values()]


def _lose_lines() -> None:
    roll_over = loggers.RotatingFileHandler.doRollover

    def roll_over_where_there_is_room(handler: Any) -> None:
        # A file that fails to close would be gone, and with it the log.
        with contextlib.suppress(OSError):
            handler.flush()
            roll_over(handler)

    loggers.Handler.handleError = lambda _: None
    loggers.RotatingFileHandler.doRollover = roll_over_where_there_is_room
