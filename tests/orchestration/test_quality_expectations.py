"""Every expectation passes what is right, and finds what is wrong with its number and rows."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from expectations import all as suites
from expectations import validation
from expectations.data import Commits, Data, Offsets
from expectations.expectation import SHOWN, Finding
from lakehouse.columns import arrow_schema
from lakehouse.creation import ensure
from lakehouse.lake import Lake
from lakehouse.tables import TABLES
from orchestration import evidence
from tests.orchestration.quality_cases import DAY, ELSEWHERE, GOOD, INF, NAN, OFFENDING, Row, readings
from tests.orchestration.rows import NOON, reading, write

TABLE = {table.name: table for table in TABLES}
SUITES = suites.DAILY | suites.WHOLE
AFTERWARDS = datetime(2026, 11, 19, 6, tzinfo=UTC)
"""The morning after the day that is judged."""


def gathered(lake: Lake, table: str, now: datetime = AFTERWARDS, day: object = DAY) -> Data:
    known = frozenset({"pump-1"})
    return evidence.gather(lake, TABLE[table], now=now, day=day if TABLE[table].partition else None, devices=known)


def findings(data: Data, *only: str) -> list[Finding]:
    return validation.findings(SUITES[data.table], data, only or None)


def the(found: Sequence[Finding], check: str) -> Finding:
    (one,) = (finding for finding in found if finding.check == check)
    return one


@pytest.mark.parametrize("table", SUITES)
def test_what_is_right_passes_every_check(lake: Lake, table: str) -> None:
    if table in ("dead_letters", "enriched_readings"):
        write(lake, TABLE["readings"], readings(30 if table == "dead_letters" else 10))
    write(lake, TABLE[table], GOOD[table]())
    # Where freshness counts without a day, the table was written just now.
    now = AFTERWARDS if TABLE[table].partition else NOON
    assert [finding for finding in findings(gathered(lake, table, now)) if not finding.passed] == []


@pytest.mark.parametrize(
    ("table", "check", "rows", "offenders"), OFFENDING, ids=[f"{case[0]}-{case[1]}" for case in OFFENDING]
)
def test_offenders_are_found_counted_and_shown(
    lake: Lake, table: str, check: str, rows: list[Row], offenders: int
) -> None:
    if table in ("dead_letters", "enriched_readings"):
        write(lake, TABLE["readings"], readings())
    write(lake, TABLE[table], GOOD[table]())
    write(lake, TABLE[table], rows)
    found = the(findings(gathered(lake, table), check), check)
    assert (found.passed, found.offenders) == (False, offenders)
    assert 1 <= len(found.sample) <= offenders
    assert found.examined >= offenders or found.examined == len(GOOD[table]()) + len(rows)


def test_every_expectation_is_broken_by_some_test() -> None:
    broken = {(table, check) for table, check, _, _ in OFFENDING}
    expected = {
        (suite.table, each.name)
        for suite in SUITES.values()
        for each in suite.expectations
        if each.name not in ELSEWHERE
    }
    assert broken == expected


def test_the_sample_shows_the_offending_row_and_what_is_wrong_with_it(lake: Lake) -> None:
    write(lake, TABLE["readings"], [*readings(), reading(1, NAN), reading(2, INF, unit="K")])
    found = findings(gathered(lake, "readings"), "finite", "unit_of_rule")
    strange = the(found, "finite").sample
    assert [(row["value"], row["not_finite"]) for row in strange] == [("nan", "value"), ("inf", "value")]
    (row,) = the(found, "unit_of_rule").sample
    assert (row["device_id"], row["unit"], row["unit_of_rule"]) == ("pump-1", "K", "°C")


def test_more_offenders_than_are_shown_are_still_counted_over_all_pieces(
    lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evidence, "PIECE_ROWS", 10)
    write(lake, TABLE["readings"], [reading(number, NAN if number % 2 else 20.0) for number in range(100)])
    found = the(findings(gathered(lake, "readings"), "finite"), "finite")
    assert (found.examined, found.offenders, len(found.sample)) == (100, 50, SHOWN)


@pytest.mark.parametrize("table", SUITES)
def test_a_table_without_a_row_breaks_nothing(lake: Lake, table: str) -> None:
    ensure(lake, TABLE[table])
    found = [finding for finding in findings(gathered(lake, table)) if not finding.passed]
    # A table that is judged whole and has never been filled is not fresh.
    assert [finding.check for finding in found] == (["fresh"] if table == "baselines" else [])


def test_one_device_with_one_reading_passes(lake: Lake) -> None:
    write(lake, TABLE["readings"], [reading()])
    assert all(finding.passed for finding in findings(gathered(lake, "readings")))


def test_another_column_or_type_is_a_finding_and_what_needs_it_is_not_judged(lake: Lake) -> None:
    schema = arrow_schema("reading").remove(5).append(pa.field("surprise", pa.string()))
    row = {name: value for name, value in reading().items() if name != "value"}
    made = pa.Table.from_pylist([row], schema=schema)
    made = made.set_column(made.schema.get_field_index("source_offset"), "source_offset", pa.array(["7"]))
    write_deltalake(lake.uri(TABLE["readings"]), made, partition_by="event_date")
    data = evidence.gather(lake, TABLE["readings"], now=AFTERWARDS, day=DAY, messages=False)
    found = findings(data)
    schema_finding = the(found, "schema")
    assert schema_finding.offenders == 3
    assert {(row["column"], row["found"]) for row in schema_finding.sample} == {
        ("value", "absent"),
        ("surprise", "string"),
        ("source_offset", "string"),
    }
    assert not the(found, "finite").passed
    assert the(found, "finite").detail == "cannot be judged: the table has no column value"


@pytest.mark.parametrize(("minutes", "passes"), [(10, True), (20, False)])
def test_today_must_be_fresh(lake: Lake, minutes: int, passes: bool) -> None:
    write(lake, TABLE["readings"], [reading()])
    now = NOON + timedelta(seconds=1, minutes=minutes)
    found = the(findings(gathered(lake, "readings", now), "fresh"), "fresh")
    assert (found.passed, found.observed) == (passes, minutes)


def test_a_day_that_only_begins_is_not_stale(lake: Lake) -> None:
    ensure(lake, TABLE["readings"])
    midnight = datetime(2026, 11, 18, 0, 5, tzinfo=UTC)
    assert the(findings(gathered(lake, "readings", midnight), "fresh"), "fresh").passed


@pytest.mark.parametrize(("rows", "passes"), [(4, False), (5, True), (20, True), (21, False)])
def test_the_volume_is_that_of_the_days_before(lake: Lake, rows: int, passes: bool) -> None:
    for back, usual in ((1, 10), (2, 10), (3, 500)):
        write(lake, TABLE["readings"], [reading(number - back * 86_400) for number in range(usual)])
    write(lake, TABLE["readings"], [reading(number) for number in range(rows)])
    found = the(findings(gathered(lake, "readings"), "usual_volume"), "usual_volume")
    assert (found.passed, found.observed) == (passes, rows / 10)


def test_half_a_day_may_have_half_the_volume(lake: Lake) -> None:
    write(lake, TABLE["readings"], [reading(number - 86_400) for number in range(20)])
    write(lake, TABLE["readings"], [reading(number) for number in range(10)])
    found = the(findings(gathered(lake, "readings", NOON), "usual_volume"), "usual_volume")
    assert (found.passed, found.observed) == (True, 1.0)


def test_a_first_day_has_nothing_to_be_compared_with(lake: Lake) -> None:
    write(lake, TABLE["readings"], [reading()])
    found = the(findings(gathered(lake, "readings"), "usual_volume"), "usual_volume")
    assert (found.passed, found.observed) == (True, None)


@pytest.mark.parametrize(
    ("commits", "offenders"),
    [
        (Commits(messages=10, valid=9, dead_letters=1, duplicates=0, added=9), 0),
        (Commits(messages=10, valid=20, dead_letters=1, duplicates=2, added=20), 0),
        (Commits(messages=10, valid=9, dead_letters=1, duplicates=0, added=8), 1),
        (Commits(messages=10, valid=6, dead_letters=1, duplicates=1, added=6), 2),
    ],
)
def test_batches_must_add_up(lake: Lake, commits: Commits, offenders: int) -> None:
    write(lake, TABLE["readings"], [reading()])
    data = gathered(lake, "readings")
    found = the(findings(Data(**(vars(data) | {"commits": commits})), "batches_add_up"), "batches_add_up")
    assert (found.passed, found.offenders, found.examined) == (not offenders, offenders, 10)


@pytest.mark.parametrize(("duplicates", "offenders"), [(0, 3), (2, 1), (3, 0), (9, 0)])
def test_an_offset_without_a_row_must_be_a_duplicate(lake: Lake, duplicates: int, offenders: int) -> None:
    write(lake, TABLE["readings"], [reading()])
    offsets = Offsets(consumed=10, stored=7, duplicates=duplicates)
    data = Data(**(vars(gathered(lake, "readings")) | {"offsets": offsets}))
    found = the(findings(data, "offsets_accounted_for"), "offsets_accounted_for")
    assert (found.passed, found.offenders) == (not offenders, offenders)
