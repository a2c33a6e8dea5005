"""All suites over one day, with the day's totals: what the asset `data_quality_report` writes and `sensorlake quality`
prints. Knows no Dagster."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
from deltalake import write_deltalake

from expectations import all as suites
from expectations import validation
from expectations.data import Data
from expectations.expectation import Finding, Severity
from expectations.validation import Judged
from lakehouse.columns import arrow_schema
from lakehouse.creation import ensure
from lakehouse.lake import Lake
from lakehouse.tables import QUALITY, TABLES
from orchestration import evidence

EXISTS = "exists"
TOTAL = "total."
"""Totals of a day are rows of the table too: checks of this name that always pass, with the figure as observed."""

_BY_NAME = {table.name: table for table in TABLES}

Devices = Mapping[str, tuple[datetime, datetime | None]]


@dataclass(frozen=True)
class Total:
    """One figure of a day, such as the readings that came late."""

    table: str
    name: str
    value: int


@dataclass(frozen=True)
class DayReport:
    day: date
    findings: tuple[Finding, ...]
    totals: tuple[Total, ...]
    judged: Mapping[str, Sequence[Judged]]
    """By table, what Great Expectations itself said."""

    @property
    def failed(self) -> list[Finding]:
        return [finding for finding in self.findings if not finding.passed]

    @property
    def errors(self) -> list[Finding]:
        return [finding for finding in self.failed if finding.severity is Severity.ERROR]


def judge(lake: Lake, devices: Devices, day: date, now: datetime, lateness_seconds: int) -> DayReport:
    """`devices` as `evidence.registered_devices` gives them; a reading is late that took longer than
    `lateness_seconds`."""
    findings: list[Finding] = []
    totals: list[Total] = []
    judged: dict[str, Sequence[Judged]] = {}
    for name, suite in suites.DAILY.items():
        table = _BY_NAME[name]
        if not evidence.exists(lake, table):
            findings.append(_absent(name))
            continue
        data = evidence.gather(lake, table, now=now, day=day, devices=frozenset(devices))
        judged[name] = validation.judge(suite, data)
        of_table = [each.finding(name) for each in judged[name]]
        findings += of_table
        totals += _totals(data, of_table, devices, day, lateness_seconds)
    return DayReport(day, tuple(findings), tuple(totals), judged)


def _absent(table: str) -> Finding:
    detail = "The table is not in the lake yet: what writes it has not run."
    return Finding(table, EXISTS, Severity.WARNING, passed=False, examined=0, offenders=0, detail=detail)


def write(lake: Lake, report: DayReport, checked_at: datetime) -> int:
    """Replace the day in the table `quality` in one commit; how many rows it has."""
    schema = arrow_schema(QUALITY.record)
    checked = [
        {
            "table": finding.table,
            "check": finding.check,
            "severity": finding.severity.value,
            "passed": finding.passed,
            "examined": finding.examined,
            "offenders": finding.offenders,
            "observed": finding.observed,
            "detail": finding.detail,
        }
        for finding in report.findings
    ]
    counted = [
        {
            "table": total.table,
            "check": TOTAL + total.name,
            "severity": Severity.WARNING.value,
            "passed": True,
            "examined": total.value,
            "offenders": 0,
            "observed": float(total.value),
            "detail": "A total of the day.",
        }
        for total in report.totals
    ]
    rows = [row | {"day": report.day, "checked_at": checked_at} for row in checked + counted]
    write_deltalake(
        ensure(lake, QUALITY),
        pa.Table.from_pylist(rows, schema=schema),
        mode="overwrite",
        predicate=f"day = '{report.day.isoformat()}'",
    )
    return len(rows)


def _totals(data: Data, findings: Sequence[Finding], devices: Devices, day: date, lateness: int) -> list[Total]:
    counts: dict[str, int] = {"rows": data.rows}
    if data.table == "readings":
        counts |= _of_readings(data, devices, day, lateness)
        counts["gaps"] = sum(finding.offenders for finding in findings if finding.check == "no_gaps")
        if data.commits is not None:
            # By the time of the commit, where the others count by the readings' own times.
            counts["messages"] = data.commits.messages
            counts["valid"] = data.commits.valid
            counts["dead_letters"] = data.commits.dead_letters
            counts["duplicates"] = data.commits.duplicates
    if data.table == "dead_letters":
        for piece in data.read(("dq_reason",)):
            for reason in pc.value_counts(piece["dq_reason"]).to_pylist():
                name = f"reason.{reason['values']}"
                counts[name] = counts.get(name, 0) + reason["counts"]
    return [Total(data.table, name, value) for name, value in counts.items()]


def _of_readings(data: Data, devices: Devices, day: date, lateness: int) -> dict[str, int]:
    late, active = 0, set[str]()
    for piece in data.read(("device_id", "event_time", "received_at")):
        active |= set(piece["device_id"].unique().drop_null().to_pylist())
        delay = pc.microseconds_between(piece["event_time"], piece["received_at"])
        late += pc.sum(pc.greater(delay, lateness * 1_000_000)).as_py() or 0
    start = datetime.combine(day, time(), UTC)
    in_service = {
        device
        for device, (installed, retired) in devices.items()
        if installed < start + timedelta(days=1) and (retired is None or retired > start)
    }
    return {"late": late, "active_devices": len(active), "silent_devices": len(in_service - active)}


def as_rows(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """For people: one row a finding, those that failed first, errors before warnings."""
    order = sorted(findings, key=lambda each: (each.passed, each.severity is not Severity.ERROR))
    return [
        {
            "table": finding.table,
            "check": finding.check,
            "result": "passed" if finding.passed else finding.severity.value,
            "offenders": finding.offenders,
            "examined": finding.examined,
            "observed": "" if finding.observed is None else f"{finding.observed:g}",
            "expected": finding.detail,
        }
        for finding in order
    ]
