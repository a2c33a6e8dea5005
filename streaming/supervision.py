"""Keeps queries running: each one that fails starts again alone, after a pause that doubles from one failure to the
next."""

import json
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import structlog
from pyspark.sql.streaming import StreamingQuery

from sensorlake.errors import CheckpointError

log = structlog.get_logger(__name__)

# delta-rs writes the causes of an error below each other, with coloured arrows.
_CAUSE = re.compile(r"\s*\n\s*(\x1b\[\d+m)?↳(\x1b\[0m)?\s*")
_NAMED_ERROR = re.compile(r"(Caused by: )?[\w.$]+(Error|Exception)\b.*: ")

FIRST_PAUSE_SECONDS = 1.0
# A server that is back is used again within this time.
LONGEST_PAUSE_SECONDS = 15.0
# A query that ran this long is well again: its next failure pauses from the beginning.
WELL_AFTER_SECONDS = 120.0


@dataclass
class SupervisedQuery:
    """One query and what became of it. `clock` counts seconds; `explain` says on one line what went wrong."""

    name: str
    begin: Callable[[], StreamingQuery]
    clock: Callable[[], float] = time.monotonic
    explain: Callable[[Exception | None], str] = lambda error: concise(error)  # noqa: PLW0108  it stands below
    query: StreamingQuery | None = None
    last_error: str | None = None
    refusal: CheckpointError | None = None
    failures: int = 0
    started_at: float = 0.0
    due_at: float = 0.0

    def tend(self) -> None:
        """Start the query if it is due, or note that it failed and when it is due again.

        `refusal` says why going on would lose or repeat messages without a word: only the user can decide.
        """
        now = self.clock()
        is_well = self.query is not None and now - self.started_at > WELL_AFTER_SECONDS
        if self.query is not None and self.query.isActive and is_well:
            self.last_error = None
        if self.query is not None and not self.query.isActive:
            if is_well:
                self.failures = 0
            self._note(now, self.query.exception())
            self.query = None
        if self.query is None and now >= self.due_at:
            try:
                self.query = self.begin()
                self.started_at, self.refusal = now, None
                log.info("query started", query=self.name, failures=self.failures)
            except Exception as error:  # whatever keeps a query from starting is met by the next try
                self.refusal = error if isinstance(error, CheckpointError) else None
                self._note(now, error)

    def is_active(self) -> bool:
        return self.query is not None and bool(self.query.isActive)

    def report(self) -> dict[str, Any]:
        """state, batch, input_rate (records/s), lag (records, or files of a Delta source), kept (its state store's rows
        and bytes in memory) and last_error."""
        progress = self.query.lastProgress if self.query is not None and self.query.isActive else None
        return {
            "state": "running" if self.query is not None else "refused" if self.refusal else "restarting",
            "batch": progress["batchId"] if progress else None,
            "input_rate": _rate(progress) if progress else None,
            "lag": lag(progress) if progress else None,
            "kept": kept(progress) if progress else None,
            "failures": self.failures,
            "last_error": self.last_error,
        }

    def _note(self, now: float, error: Exception | None) -> None:
        doubled = min(self.failures, 16)  # an outage of hours fails more often than a float can be doubled
        pause = min(FIRST_PAUSE_SECONDS * 2**doubled, LONGEST_PAUSE_SECONDS)
        self.failures += 1
        self.due_at = now + pause
        self.last_error = str(error) if isinstance(error, CheckpointError) else self.explain(error)
        log.error("query failed", query=self.name, error=self.last_error, starts_again_in_s=pause)


def concise(error: Exception | None) -> str:
    """What went wrong at the bottom of a failure, on one line: Spark and Python wrap it in pages of traces."""
    if error is None:
        return "stopped from outside"
    lines = [line.strip() for line in _CAUSE.sub(": ", str(error)).splitlines() if line.strip()]
    named = [line for line in lines if _NAMED_ERROR.match(line)]
    return (named[-1] if named else lines[0] if lines else type(error).__name__)[:500]


def lag(progress: Mapping[str, Any]) -> int | None:
    """How much the sources held that the last batch had not read: records of Kafka, files of Delta."""
    total = 0
    for source in progress["sources"]:
        metrics = source.get("metrics") or {}
        end, latest = _offsets(source.get("endOffset")), _offsets(source.get("latestOffset"))
        if "numFilesOutstanding" in metrics:
            total += int(metrics["numFilesOutstanding"])
        elif end is not None and latest is not None:
            total += sum(
                max(0, offset - end.get(topic, {}).get(partition, 0))
                for topic, partitions in latest.items()
                for partition, offset in partitions.items()
            )
        else:
            return None
    return total


def kept(progress: Mapping[str, Any]) -> dict[str, int] | None:
    """What the query's state store held after its last batch: rows, and bytes in memory; None for one without state."""
    operators = progress.get("stateOperators") or []
    if not operators:
        return None
    return {
        "rows": sum(int(each["numRowsTotal"]) for each in operators),
        "bytes": sum(int(each["memoryUsedBytes"]) for each in operators),
    }


def _offsets(given: Any) -> dict[str, Any] | None:
    """Offsets by topic and partition; Spark's progress holds them as JSON text."""
    try:
        found = json.loads(given) if isinstance(given, str) else given
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _rate(progress: Mapping[str, Any]) -> float | None:
    rate = progress.get("inputRowsPerSecond")
    return None if rate is None else round(float(rate), 1)
