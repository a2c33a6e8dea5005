"""The suites as asset checks, run by Dagster."""

import socket
from datetime import date
from pathlib import Path

import dagster as dg
import pytest

from expectations import all as suites
from expectations import thresholds as thresholds_suite
from expectations.data import Data
from expectations.expectation import SHOWN, Severity
from lakehouse.lake import Lake
from lakehouse.tables import ENRICHED_READINGS, READINGS, THRESHOLDS
from orchestration import evidence
from orchestration.gx import checks_for
from orchestration.outages import reachable_lake
from orchestration.resources.installation import Installation
from sensorlake.errors import StackError
from tests.orchestration.quality_cases import DAY, NAN, enriched, readings, threshold
from tests.orchestration.rows import NOON, write

EVERYTHING = dg.AssetSelection.all() | dg.AssetSelection.all_asset_checks()
DAYS = dg.DailyPartitionsDefinition("2026-11-01", end_offset=1)


def evaluations(result: dg.ExecuteInProcessResult) -> dict[str, dg.AssetCheckEvaluation]:
    found = [event for event in result.all_events if event.event_type_value == "ASSET_CHECK_EVALUATION"]
    return {event.asset_check_evaluation_data.check_name: event.asset_check_evaluation_data for event in found}


def run(lake: Lake, assets: list, checks: dg.AssetChecksDefinition, **options) -> dg.ExecuteInProcessResult:
    definitions = dg.Definitions(
        assets=assets,
        asset_checks=[checks],
        jobs=[dg.define_asset_job("all_of_it", selection=EVERYTHING)],
        resources={"installation": Installation(lake_root=lake.root)},
    )
    with dg.DagsterInstance.ephemeral() as instance:
        job = definitions.resolve_job_def("all_of_it")
        return job.execute_in_process(instance=instance, raise_on_error=False, **options)


def enriched_and_what_follows(lake: Lake, rows: list[dict], ran: list[str]) -> list:
    @dg.asset(partitions_def=DAYS)
    def enriched_readings() -> None:
        write(lake, READINGS, readings())
        write(lake, ENRICHED_READINGS, rows)

    @dg.asset(partitions_def=DAYS, deps=[enriched_readings])
    def trends() -> None:
        ran.append("trends")

    return [enriched_readings, trends]


def test_checks_judge_the_partition_just_written_and_what_follows_goes_on(lake: Lake) -> None:
    ran: list[str] = []
    assets = enriched_and_what_follows(lake, [enriched(number) for number in range(10)], ran)
    write(lake, ENRICHED_READINGS, [enriched(event_date=DAY.replace(day=17), value=NAN) for _ in range(10)])
    checks = checks_for("enriched_readings", suites.DAILY["enriched_readings"], partitions_def=DAYS)
    result = run(lake, assets, checks, partition_key=DAY.isoformat())
    found = evaluations(result)
    assert result.success
    assert ran == ["trends"]
    assert set(found) == {each.name for each in suites.DAILY["enriched_readings"].expectations}
    assert all(evaluation.passed for evaluation in found.values())
    assert {evaluation.partition for evaluation in found.values()} == {DAY.isoformat()}


@pytest.mark.parametrize(
    ("wrong", "check", "goes_on"),
    [({"value": NAN}, "finite", False), ({"registered": False}, "of_registered_devices", True)],
)
def test_a_blocking_check_holds_up_what_follows_and_a_warning_does_not(
    lake: Lake, wrong: dict, check: str, goes_on: bool
) -> None:
    ran: list[str] = []
    rows = [enriched(number) for number in range(9)] + [enriched(9, **wrong)]
    checks = checks_for("enriched_readings", suites.DAILY["enriched_readings"], partitions_def=DAYS)
    result = run(lake, enriched_and_what_follows(lake, rows, ran), checks, partition_key=DAY.isoformat())
    found = evaluations(result)
    assert [name for name, evaluation in found.items() if not evaluation.passed] == [check]
    assert found[check].severity is (dg.AssetCheckSeverity.WARN if goes_on else dg.AssetCheckSeverity.ERROR)
    assert (result.success, ran) == (goes_on, ["trends"] if goes_on else [])


def test_offenders_are_shown_with_their_number(lake: Lake) -> None:
    rows = [enriched(number, value=NAN) for number in range(30)]
    checks = checks_for("enriched_readings", suites.DAILY["enriched_readings"], partitions_def=DAYS)
    result = run(lake, enriched_and_what_follows(lake, rows, []), checks, partition_key=DAY.isoformat())
    metadata = evaluations(result)["finite"].metadata
    assert metadata["offenders"].value == 30
    assert len(metadata["sample"].records) == SHOWN
    assert metadata["sample"].records[0].data["not_finite"] == "value"


def test_a_table_that_is_not_there_yet_is_a_warning(lake: Lake) -> None:
    checks = checks_for("thresholds", thresholds_suite.SUITE)
    result = run(lake, [dg.AssetSpec("thresholds")], checks)
    found = evaluations(result)
    assert result.success
    assert {(each.passed, each.severity) for each in found.values()} == {(False, dg.AssetCheckSeverity.WARN)}


def test_checks_of_an_external_asset_run_by_themselves(lake: Lake) -> None:
    write(lake, THRESHOLDS, [threshold(0), threshold(0)])
    checks = checks_for("thresholds", thresholds_suite.SUITE, blocking=False)
    result = run(lake, [dg.AssetSpec("thresholds")], checks)
    assert result.success
    assert [name for name, each in evaluations(result).items() if not each.passed] == ["unique"]


def test_what_is_judged_may_come_from_elsewhere(lake: Lake) -> None:
    elsewhere = Lake(f"{lake.root}-elsewhere")
    write(elsewhere, THRESHOLDS, [threshold(0, stddev=0.0)])

    def load(installation: Installation, day: date | None) -> Data:
        assert installation.lake.root == lake.root
        return evidence.gather(elsewhere, THRESHOLDS, now=NOON, day=day)

    result = run(lake, [dg.AssetSpec("thresholds")], checks_for("thresholds", thresholds_suite.SUITE, load=load))
    assert not result.success
    assert [name for name, each in evaluations(result).items() if not each.passed] == ["stddev_bounds"]


def test_what_blocks_is_an_error() -> None:
    every = [each for suite in (suites.DAILY | suites.WHOLE).values() for each in suite.expectations]
    assert all(each.severity is Severity.ERROR for each in every if each.blocking)


def test_storage_that_does_not_answer_fails_the_run_and_is_not_taken_for_an_empty_lake(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
    monkeypatch.setenv("SENSORLAKE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SENSORLAKE_S3_ENDPOINT", endpoint)
    with pytest.raises(StackError, match=f"does not answer at {endpoint}"), reachable_lake(Installation()):
        pytest.fail("nothing answers")
