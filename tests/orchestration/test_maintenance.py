"""Upkeep of small real tables, by the jobs that run it each night."""

import json
import os
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import DeltaTable, write_deltalake

from lakehouse import maintenance, retention
from lakehouse.columns import arrow_schema
from lakehouse.creation import ensure
from lakehouse.lake import Lake
from lakehouse.tables import ENRICHED_READINGS, READINGS, TABLES, THRESHOLDS, TRENDS, Owner, Table
from orchestration.defs.maintenance import servers, tables
from orchestration.resources.installation import Installation
from orchestration.resources.storage import Storage

TODAY = datetime.now(UTC).date()


def write(lake: Lake, table: Table, *days: date, times: int = 3) -> None:
    """`times` commits of one row a day."""
    opened = ensure(lake, table)
    for _ in range(times):
        column = retention.day_column(table)
        rows = [{"metric": "t"} | ({column: day} if column else {}) for day in days]
        written = pa.Table.from_pylist(rows, schema=arrow_schema(table.record))
        write_deltalake(opened, written, mode="append")


def job_of(table: Table) -> dg.JobDefinition:
    (found,) = [job for job in tables.JOBS if job.name == f"maintain_{table.name}"]
    return found


def run(job: dg.JobDefinition, lake: Lake) -> dict:
    """The metadata that a run of `job` notes, by asset key."""
    with dg.DagsterInstance.ephemeral() as instance:
        resources = {"installation": Installation(lake_root=lake.root), "storage": Storage()}
        done = job.execute_in_process(instance=instance, resources=resources)
        assert done.success
        observed = [
            event.event_specific_data.asset_observation
            for event in done.all_events
            if event.event_type is dg.DagsterEventType.ASSET_OBSERVATION
        ]
    return {
        each.asset_key.to_user_string(): {name: value.value for name, value in each.metadata.items()}
        for each in observed
    }


def test_files_are_merged_old_days_dropped_and_figures_noted(lake: Lake) -> None:
    kept, old = TODAY - timedelta(days=30), TODAY - timedelta(days=31)
    write(lake, ENRICHED_READINGS, TODAY, kept, old)
    noted = run(job_of(ENRICHED_READINGS), lake)["enriched_readings"]
    opened = lake.open(ENRICHED_READINGS)
    assert Counter(opened.to_pyarrow_table()["event_date"].to_pylist()) == {TODAY: 3, kept: 3}
    assert len(opened.file_uris()) == 2
    assert noted.items() >= {"files_dropped": 3, "files_merged": 6, "files_into": 2, "files": 2}.items()
    assert noted["dagster/row_count"] == 6
    assert (noted["oldest"], noted["newest"]) == (str(kept), str(TODAY))
    assert noted["most_files_a_partition"] == 1


def test_upkeep_done_twice_changes_nothing(lake: Lake) -> None:
    write(lake, TRENDS, TODAY, TODAY - timedelta(days=366))
    run(job_of(TRENDS), lake)
    version = lake.open(TRENDS).version()
    run(job_of(TRENDS), lake)
    assert lake.open(TRENDS).version() == version


def test_trends_outlive_readings(lake: Lake) -> None:
    write(lake, TRENDS, TODAY - timedelta(days=40), times=1)
    run(job_of(TRENDS), lake)
    assert lake.open(TRENDS).to_pyarrow_table().num_rows == 1


def test_files_that_no_kept_version_needs_are_deleted_but_not_those_of_the_thresholds(lake: Lake) -> None:
    for table, deleted in ((TRENDS, 3), (THRESHOLDS, 0)):
        write(lake, table, TODAY)
        opened = lake.open(table)
        _age_removals(opened, timedelta(days=30))
        done = maintenance.maintain(lake.open(table), table, None, TODAY)
        assert done.deleted == deleted, table.name
        if table is THRESHOLDS:
            for version in range(1, 4):
                opened.load_as_version(version)
                assert opened.to_pyarrow_table().num_rows == version


def test_files_that_were_removed_before_the_logs_last_checkpoint_are_deleted_too(lake: Lake) -> None:
    write(lake, TRENDS, TODAY)
    opened = lake.open(TRENDS)
    folder = Path(opened.table_uri.removeprefix("file://"))
    merged = opened.file_uris()
    _age_removals(opened, timedelta(days=30))
    for file in merged:
        os.utime(file.removeprefix("file://"), times=(0, 0))
    lake.open(TRENDS).create_checkpoint()
    assert maintenance.maintain(lake.open(TRENDS), TRENDS, None, TODAY).deleted == len(merged)
    assert len([*folder.glob("**/*.parquet")]) == 2, "the merged file and the checkpoint"


def test_a_table_that_does_not_exist_yet_is_nothing_to_do(lake: Lake) -> None:
    assert run(job_of(TRENDS), lake) == {}
    assert lake.find(TRENDS) is None


@pytest.mark.parametrize("table", [each for each in TABLES if each.owner is Owner.DAGSTER], ids=lambda each: each.name)
def test_each_table_of_dagster_has_upkeep_in_its_own_pool_and_an_empty_one_is_no_error(lake, table: Table) -> None:
    ensure(lake, table)
    job = job_of(table)
    assert {node.definition.pool for node in job.nodes} == {table.name}
    (noted,) = run(job, lake).values()
    assert noted["dagster/row_count"] == 0


def test_tables_of_the_stream_are_looked_at_and_not_written(lake: Lake) -> None:
    assert not {table.name for table in TABLES if table.owner is Owner.STREAM} & {
        job.name.removeprefix("maintain_") for job in tables.JOBS
    }
    write(lake, READINGS, TODAY, date(2020, 1, 1))
    noted = run(tables.observe_stream_tables, lake)
    assert noted.keys() == {"readings"}
    assert noted["readings"]["dagster/row_count"] == 6
    assert (noted["readings"]["files"], noted["readings"]["most_files_a_partition"]) == (6, 3)
    assert lake.open(READINGS).version() == 3


def test_everything_runs_once_a_night_without_being_asked() -> None:
    schedules = [*tables.SCHEDULES, servers.maintain_servers_daily]
    jobs = {*tables.JOBS, tables.observe_stream_tables, servers.maintain_servers}
    assert {schedule.job for schedule in schedules} == jobs
    assert all(schedule.default_status is dg.DefaultScheduleStatus.RUNNING for schedule in schedules)
    assert all(schedule.execution_timezone == "UTC" for schedule in schedules)
    times = [schedule.cron_schedule for schedule in schedules]
    assert len(set(times)) == len(times)
    assert all(time.endswith(" 3 * * *") for time in times)


def _age_removals(opened: DeltaTable, by: timedelta) -> None:
    """Merge, and let the log say that it happened long ago."""
    opened.optimize.compact()
    log = Path(opened.table_uri.removeprefix("file://")) / "_delta_log" / f"{opened.version():020}.json"
    actions = [json.loads(line) for line in log.read_text("utf-8").splitlines()]
    for action in actions:
        if "remove" in action:
            action["remove"]["deletionTimestamp"] -= int(by.total_seconds() * 1000)
    log.write_text("".join(f"{json.dumps(action)}\n" for action in actions), encoding="utf-8")
