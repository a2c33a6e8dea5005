"""Starts runs as Dagster's own launcher does, and can say whether the process of a run still lives.

Dagster's cannot: the server with the code notices when one of its runs dies, but where both die together, as when the
power goes, the run would count as running for ever and hold its pool.
"""

import psutil
from dagster import DagsterEventType, DagsterRun
from dagster._core.launcher import CheckRunHealthResult, DefaultRunLauncher, WorkerStatus

# By so much may the clocks of the kernel and of the log differ.
_CLOCK_SECONDS = 5.0


class LocalRunLauncher(DefaultRunLauncher):
    """For runs that are processes of this machine, as all of them are here."""

    @property
    def supports_check_run_worker_health(self) -> bool:
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Asked by Dagster's run monitoring of each run that has started."""
        for entry in self._instance.all_logs(run.run_id, of_type=DagsterEventType.RUN_START):
            pid = entry.dagster_event.pid if entry.dagster_event else None
            if pid is not None and not lives(pid, entry.timestamp):
                return CheckRunHealthResult(WorkerStatus.NOT_FOUND, f"its process {pid} is gone")
        return CheckRunHealthResult(WorkerStatus.RUNNING)


def lives(pid: int, noted: float) -> bool:
    """Is it the process that was noted then? One that began later only got its number."""
    try:
        process = psutil.Process(pid)
        return process.status() != psutil.STATUS_ZOMBIE and process.create_time() <= noted + _CLOCK_SECONDS
    except psutil.NoSuchProcess:
        return False
