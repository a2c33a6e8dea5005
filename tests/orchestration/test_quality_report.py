"""The report of a day: every finding and total of it in the lake, for people and as Data Docs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from expectations import data_docs
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, DEAD_LETTERS, ENRICHED_READINGS, FEATURES, QUALITY, READINGS, TRENDS
from orchestration import day_report
from orchestration.day_report import DayReport
from orchestration.defs.quality.report import markdown
from tests.orchestration import quality_cases
from tests.orchestration.quality_cases import DAY, NAN, dead_letter, readings
from tests.orchestration.rows import read, reading, write

NOW = datetime(2026, 11, 19, 6, tzinfo=UTC)
LONG_AGO = datetime(2024, 1, 1, tzinfo=UTC)
DEVICES = {"pump-1": (LONG_AGO, None), "silent": (LONG_AGO, None), "gone": (LONG_AGO, LONG_AGO), "new": (NOW, None)}


def judged(lake: Lake) -> DayReport:
    return day_report.judge(lake, DEVICES, DAY, NOW, lateness_seconds=30)


def fill(lake: Lake, *more: dict) -> None:
    write(lake, READINGS, [*readings(), *more])
    write(lake, DEAD_LETTERS, [dead_letter(100), dead_letter(101), dead_letter(102, dq_reason="too_old")])
    for table in (FEATURES, ANOMALIES, ENRICHED_READINGS, TRENDS):
        write(lake, table, quality_cases.GOOD[table.name]())


def test_every_check_and_total_of_the_day_is_a_row(lake: Lake) -> None:
    fill(lake, reading(700, NAN, source_offset=10))
    report = judged(lake)
    assert day_report.write(lake, report, NOW) == len(report.findings) + len(report.totals)
    rows = {(row["table"], row["check"]): row for row in read(lake, QUALITY)}
    finite = rows["readings", "finite"]
    assert (finite["passed"], finite["severity"], finite["offenders"], finite["examined"]) == (False, "error", 1, 11)
    assert (finite["day"], finite["checked_at"]) == (DAY, NOW)
    assert rows["dead_letters", "ratio"]["observed"] == pytest.approx(3 / 14)
    assert rows["dead_letters", "total.reason.malformed"]["observed"] == 2
    assert rows["dead_letters", "total.reason.too_old"]["observed"] == 1


def test_totals_tell_late_readings_active_and_silent_devices_and_gaps(lake: Lake) -> None:
    late = reading(3600, source_offset=10)
    fill(lake, late | {"received_at": late["event_time"] + timedelta(seconds=31)})
    totals = {f"{total.table}.{total.name}": total.value for total in judged(lake).totals}
    assert totals["readings.rows"] == 11
    assert totals["readings.late"] == 1
    assert totals["readings.active_devices"] == 1
    assert totals["readings.silent_devices"] == 1  # one is retired, another was not yet installed
    assert totals["readings.gaps"] == 1


def test_a_day_written_again_replaces_itself_and_no_other(lake: Lake) -> None:
    fill(lake)
    first = judged(lake)
    rows = day_report.write(lake, first, NOW)
    before = DayReport(DAY - timedelta(days=1), first.findings[:2], (), {})
    day_report.write(lake, before, NOW)
    later = NOW + timedelta(hours=1)
    assert day_report.write(lake, judged(lake), later) == rows
    found = read(lake, QUALITY)
    assert sum(row["day"] == DAY for row in found) == rows
    assert sum(row["day"] == before.day for row in found) == 2
    assert {row["checked_at"] for row in found if row["day"] == DAY} == {later}


def test_tables_that_are_not_there_are_warnings(lake: Lake) -> None:
    report = judged(lake)
    assert {finding.check for finding in report.findings} == {day_report.EXISTS}
    assert len(report.failed) == 6
    assert report.errors == []


def test_people_read_what_failed_first(lake: Lake) -> None:
    fill(lake, reading(700, NAN, source_offset=10))
    lines = markdown(judged(lake)).splitlines()
    assert lines[0].startswith("| table | check | result | offenders |")
    assert lines[2].startswith("| readings | finite | error | 1 | 11 |")
    # 3 of 14, which is over 5 %.
    assert any(line.startswith("| dead_letters | ratio | warning |") for line in lines)


def test_a_bar_in_a_description_does_not_end_the_cell(lake: Lake) -> None:
    fill(lake)
    (line,) = [each for each in markdown(judged(lake)).splitlines() if "known_reasons" in each]
    assert "malformed\\|missing_field" in line
    assert line.replace("\\|", "").count("|") == 8


def test_data_docs_open_from_a_folder_and_name_the_suites(lake: Lake, tmp_path: Path) -> None:
    fill(lake, reading(700, NAN, source_offset=10))
    index = data_docs.write(judged(lake).judged, tmp_path / "docs", DAY.isoformat(), NOW)
    page = index.read_text("utf-8")
    for table in ("readings", "dead_letters", "features", "anomalies", "enriched_readings", "trends"):
        assert f"expectations/{table}.html" in page
    assert DAY.isoformat() in page
    (of_readings,) = (tmp_path / "docs" / "validations" / "readings").rglob("*.html")
    assert "not_finite" in of_readings.read_text("utf-8")
