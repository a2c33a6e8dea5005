"""Starts runs as Dagster's own launcher does, and can say whether the process of a run still lives.

Dagster's cannot: the server with the code notices when one of its runs dies, but where both die together, as when the
power goes, the run would count as running for ever and hold its pool.
"""

import json
import socket
import time

import psutil
from dagster import DagsterEventType, DagsterRun
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._serdes import ConfigurableClassData

# By so much may the clocks of the kernel and of the log differ.
_CLOCK_SECONDS = 5.0
# Dagster tries a run again only once, at the moment at which it is marked as failed: in vain where the server with the
# code, which died with the run, is not back.
_PATIENCE_SECONDS = 300.0


class LocalRunLauncher(DefaultRunLauncher):
    """For runs that are processes of this machine, as all of them are here."""

    def __init__(self, inst_data: ConfigurableClassData | None = None) -> None:
        super().__init__(inst_data)
        self._found_dead: dict[str, float] = {}

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Asked by Dagster's run monitoring of each run that has started."""
        for entry in self._instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_START):
            pid = entry.dagster_event.pid if entry.dagster_event else None
            if pid is None or lives(pid, entry.timestamp):
                continue
            since = self._found_dead.setdefault(run.run_id, time.monotonic())
            if _server_answers(run) or time.monotonic() - since > _PATIENCE_SECONDS:
                self._found_dead.pop(run.run_id)
                return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"its process {pid} is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def _server_answers(run: DagsterRun) -> bool:
    """Does the server listen that started the run? It does so once it knows the definitions."""
    noted = json.loads(run.tags.get(GRPC_INFO_TAG, "{}"))
    if "port" not in noted:
        return True
    try:
        socket.create_connection((noted["host"], noted["port"]), timeout=1).close()
    except OSError:
        return False
    return True


def lives(pid: int, noted: float) -> bool:
    """Is it the process that was noted then? One that began later only got its number."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= noted + _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return False
