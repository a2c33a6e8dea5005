"""The sensors of the stream, tick by tick over real Delta tables; and what the stream's assets are."""

import json
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import CommitProperties, write_deltalake

from lakehouse import tables
from lakehouse.columns import arrow_schema
from lakehouse.creation import ensure
from lakehouse.lake import Lake
from lakehouse.tables import Table
from orchestration.defs.stream import checks, sensors
from orchestration.defs.stream.outlets import OUTLETS
from orchestration.defs.stream.registry import REGISTRY
from orchestration.defs.stream.tables import TABLES
from orchestration.defs.stream.topics import TOPICS
from orchestration.resources.installation import Installation
from orchestration.watching import commits, query_health
from tests.free_port import free_port

NOW = datetime.now(UTC)


class Ticks:
    """A sensor evaluated again and again, with the cursor that it left; its events go into an instance."""

    def __init__(self, sensor: dg.SensorDefinition, root: str) -> None:
        self._sensor, self._root = sensor, root
        self.cursor: str | None = None

    def next(self) -> dg.SensorResult:
        with dg.DagsterInstance.ephemeral() as instance:
            context = dg.build_sensor_context(instance=instance, cursor=self.cursor)
            result = self._sensor(context, installation=Installation(lake_root=self._root))
            assert isinstance(result, dg.SensorResult)
            for event in result.asset_events:
                instance.report_runless_asset_event(event)  # as the daemon does; refuses what it cannot store
        self.cursor = result.cursor
        return result


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setenv("SENSORLAKE_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.chdir(tmp_path)
    return f"{tmp_path}/lake"


@pytest.fixture
def unused_port() -> int:
    """A port on which nobody listens."""
    return free_port()


def write(root: str, table: Table, rows: int, note: dict[str, Any] | None = None) -> None:
    found = ensure(Lake(root), table)
    values = [{"event_date": NOW.date(), "received_at": NOW} for _ in range(rows)]
    schema = arrow_schema(table.record)
    known = [{name: value for name, value in row.items() if name in schema.names} for row in values]
    metadata = {"userMetadata": json.dumps(note)} if note else None
    write_deltalake(
        found,
        pa.Table.from_pylist(known, schema),
        mode="append",
        partition_by="event_date",
        commit_properties=CommitProperties(custom_metadata=metadata),
    )


def materialized(result: dg.SensorResult, asset: str) -> list[dict[str, Any]]:
    """The metadata of the materializations of `asset` among these events, as plain values."""
    return [
        {name: value.value for name, value in event.metadata.items()}
        for event in result.asset_events
        if isinstance(event, dg.AssetMaterialization) and event.asset_key == dg.AssetKey.from_user_string(asset)
    ]


def told_checks(result: dg.SensorResult) -> dict[str, dg.AssetCheckEvaluation]:
    return {
        event.asset_key.to_user_string(): event
        for event in result.asset_events
        if isinstance(event, dg.AssetCheckEvaluation)
    }


def report(data: Path, updated_at: datetime, **states: dict[str, Any]) -> None:
    (data / "run").mkdir(parents=True, exist_ok=True)
    document = {"queries": states, "pid": 1, "updated_at": updated_at.isoformat()}
    (data / "run" / "queries.json").write_text(json.dumps(document), "utf-8")


def test_before_the_stream_has_run_nothing_is_reported_but_that(root: str) -> None:
    ticks = Ticks(sensors.stream_tables, root)
    first = ticks.next()
    assert materialized(first, "readings") == []
    assert {check.passed for check in told_checks(first).values()} == {False}
    second = ticks.next()
    assert second.asset_events == []
    assert second.skip_reason is not None
    assert "readings: the stream has not made it yet" in str(second.skip_reason.skip_message)


def test_each_new_version_is_told_once_with_its_rows_counts_and_lag(root: str) -> None:
    ticks = Ticks(sensors.stream_tables, root)
    received = datetime.now(UTC) - timedelta(seconds=7)
    note = {"messages": 5, "valid": 3, "dead_letters": 1, "duplicates": 1, "batch": 4}
    write(root, tables.READINGS, 3, note | {"newest_received": int(received.timestamp() * 1e6)})
    write(root, tables.FEATURES, 2)
    first = ticks.next()
    (event,) = materialized(first, "readings")
    assert event["rows_added"] == event["dagster/row_count"] == 3
    assert (event["messages"], event["valid"], event["dead_letters"], event["duplicates"]) == (5, 3, 1, 1)
    assert (event["batch"], event["table_version"], event["files"]) == (4, 1, 1)
    assert 6 <= event["lag_seconds"] <= 60
    assert 0 <= event["freshness_seconds"] <= 60
    assert [event["rows_added"] for event in materialized(first, "features")] == [2]
    assert materialized(ticks.next(), "readings") == []

    write(root, tables.READINGS, 4)
    write(root, tables.READINGS, 1)
    third = ticks.next()
    assert [event["rows_added"] for event in materialized(third, "readings")] == [4, 1]
    assert [event["table_version"] for event in materialized(third, "readings")] == [2, 3]
    assert materialized(third, "readings")[-1]["dagster/row_count"] == 8
    assert materialized(third, "features") == []


def test_after_a_long_pause_many_versions_are_told_as_one(root: str) -> None:
    for batch in range(commits.ONE_BY_ONE + 3):
        write(root, tables.DEAD_LETTERS, batch, {"dead_letters": batch})
    (event,) = materialized(Ticks(sensors.stream_tables, root).next(), "dead_letters")
    assert event["versions"] == commits.ONE_BY_ONE + 3
    assert event["rows_added"] == event["dead_letters"] == event["dagster/row_count"] == 28


def test_a_compaction_is_no_news_to_what_depends_on_the_table(root: str) -> None:
    ticks = Ticks(sensors.stream_tables, root)
    for _ in range(2):
        write(root, tables.READINGS, 1)
    ticks.next()
    Lake(root).open(tables.READINGS).optimize.compact()
    assert materialized(ticks.next(), "readings") == []
    write(root, tables.READINGS, 5)
    assert [event["rows_added"] for event in materialized(ticks.next(), "readings")] == [5]


def test_a_table_that_vanished_and_came_back_begins_anew(root: str) -> None:
    ticks = Ticks(sensors.stream_tables, root)
    for _ in range(3):
        write(root, tables.ANOMALIES, 1)
    ticks.next()
    shutil.rmtree(Path(root) / "anomalies")
    gone = ticks.next()
    assert gone.skip_reason is not None
    assert "anomalies: it has gone" in str(gone.skip_reason.skip_message)
    write(root, tables.ANOMALIES, 2)
    assert [event["rows_added"] for event in materialized(ticks.next(), "anomalies")] == [2]


def test_a_table_that_was_made_anew_between_two_ticks_is_told_from_its_beginning(root: str) -> None:
    ticks = Ticks(sensors.stream_tables, root)
    for _ in range(3):
        write(root, tables.ANOMALIES, 1)
    ticks.next()
    shutil.rmtree(Path(root) / "anomalies")
    write(root, tables.ANOMALIES, 7)
    assert [event["rows_added"] for event in materialized(ticks.next(), "anomalies")] == [7]


def test_a_damaged_table_is_named_and_the_others_are_told(root: str) -> None:
    ticks = Ticks(sensors.stream_tables, root)
    write(root, tables.READINGS, 1)
    write(root, tables.FEATURES, 2)
    ticks.next()
    (Path(root) / "readings" / "_delta_log" / f"{2:020}.json").write_text("no json", "utf-8")
    write(root, tables.FEATURES, 3)
    result = ticks.next()
    assert [event["rows_added"] for event in materialized(result, "features")] == [3]
    again = ticks.next()
    assert again.skip_reason is not None
    assert "readings cannot be read" in str(again.skip_reason.skip_message)
    (Path(root) / "readings" / "_delta_log" / f"{2:020}.json").unlink()
    write(root, tables.READINGS, 4)
    assert [event["rows_added"] for event in materialized(ticks.next(), "readings")] == [4]


def test_a_storage_that_is_down_is_said_soon_and_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setenv("SENSORLAKE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SENSORLAKE_S3_ENDPOINT", f"http://127.0.0.1:{unused_port}")
    with dg.DagsterInstance.ephemeral() as instance:
        context = dg.build_sensor_context(instance=instance, cursor=json.dumps({"tables": {"readings": 3}}))
        began = datetime.now(UTC)
        result = sensors.stream_tables(context, installation=Installation())
    assert isinstance(result, dg.SensorResult)
    assert (datetime.now(UTC) - began).total_seconds() < 40
    assert materialized(result, "readings") == []
    assert json.loads(str(result.cursor))["tables"]["readings"] == 3  # to go on from when it is back


def test_servers_that_are_down_are_named_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, unused_port: int
) -> None:
    monkeypatch.setenv("SENSORLAKE_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SENSORLAKE_KAFKA_BOOTSTRAP_SERVERS", f"127.0.0.1:{unused_port}")
    monkeypatch.setenv("SENSORLAKE_INFLUXDB_URL", f"http://127.0.0.1:{unused_port}")
    monkeypatch.setenv("SENSORLAKE_POSTGRES_PORT", str(unused_port))
    result = Ticks(sensors.stream_servers, str(tmp_path)).next()
    assert result.asset_events == []
    assert result.skip_reason is not None
    for name in ("Kafka", "InfluxDB", "PostgreSQL"):
        assert f"{name} does not answer" in str(result.skip_reason.skip_message)


def test_a_query_that_stops_fails_the_checks_of_what_it_writes_and_passes_when_it_is_back(
    root: str, tmp_path: Path
) -> None:
    data, ticks = tmp_path / "data", Ticks(sensors.stream_tables, root)
    running = {"state": "running", "batch": 3, "lag": 12, "failures": 0, "last_error": None}
    report(data, datetime.now(UTC), **dict.fromkeys(query_health.WRITES, running))
    told = told_checks(ticks.next())
    assert set(told) == {asset for assets in query_health.WRITES.values() for asset in assets}
    assert all(check.passed for check in told.values())
    assert told["readings"].metadata["lag"].value == 12
    assert told_checks(ticks.next()) == {}  # nothing has changed

    failed = {"state": "restarting", "failures": 2, "last_error": "disk full"}
    report(data, datetime.now(UTC), **dict.fromkeys(query_health.WRITES, running) | {"lake": failed})
    told = told_checks(ticks.next())
    assert {name: check.passed for name, check in told.items()} == {
        "readings": False,
        "dead_letters": False,
        "features": False,
    }
    assert "disk full" in str(told["readings"].description)

    report(data, datetime.now(UTC), **dict.fromkeys(query_health.WRITES, running))
    assert {check.passed for check in told_checks(ticks.next()).values()} == {True}


def test_a_stream_that_says_nothing_any_more_counts_as_stopped(tmp_path: Path) -> None:
    running = {"state": "running"}
    report(tmp_path, NOW - timedelta(minutes=2), **dict.fromkeys(query_health.WRITES, running))
    found = query_health.read(query_health.report_of(tmp_path), NOW)
    assert {health.state for health in found.values()} == {"stopped"}
    assert "silent for 120 s" in found["lake"].reason


@pytest.mark.parametrize("damaged", ["", "{", "[]", '{"queries": 1, "updated_at": "x"}'])
def test_a_damaged_report_is_told_as_unknown(tmp_path: Path, damaged: str) -> None:
    (tmp_path / "run").mkdir()
    query_health.report_of(tmp_path).write_text(damaged, "utf-8")
    found = query_health.read(query_health.report_of(tmp_path), NOW)
    assert {health.state for health in found.values()} == {"unknown"}


def test_a_damaged_cursor_begins_anew(root: str) -> None:
    write(root, tables.READINGS, 2)
    ticks = Ticks(sensors.stream_tables, root)
    ticks.cursor = "no json"
    assert [event["rows_added"] for event in materialized(ticks.next(), "readings")] == [2]


def test_the_assets_of_the_stream_are_these_and_hold_their_columns() -> None:
    specs = {spec.key.to_user_string(): spec for spec in (*TOPICS, *TABLES, *OUTLETS, *REGISTRY)}
    assert {name for name, spec in specs.items() if spec.group_name == "stream"} == {
        *("kafka/iot_sensor_raw", "kafka/iot_device_events", "kafka/user_events"),
        *("kafka/iot_sensor_anomaly", "kafka/iot_sensor_dlq"),
        *("readings", "dead_letters", "features", "anomalies"),
        *("influxdb/sensor_metrics", "influxdb/sensor_anomalies", "postgres/stream/anomalies", "stream/limits"),
    }
    assert {name for name, spec in specs.items() if spec.group_name == "registry"} == {
        f"postgres/registry/{name}"
        for name in (
            *("devices", "device_configs", "alert_rules"),
            *("maintenance", "ops_events", "feedback", "replays"),
        )
    }
    for spec in specs.values():
        assert spec.owners == ["team:sensorlake-operations"]
        assert spec.description
        assert spec.kinds
    for table in (tables.READINGS, tables.DEAD_LETTERS, tables.FEATURES, tables.ANOMALIES):
        columns = specs[table.name].metadata["dagster/column_schema"].columns
        assert [column.name for column in columns] == arrow_schema(table.record).names
    keys = [key for check in checks.CHECKS for key in check.check_keys]
    assert len(keys) == len(set(keys)), "several queries write one topic, each has a check of its own there"
    checked = {key.asset_key.to_user_string() for key in keys}
    assert len(checked) == 9
    assert checked <= specs.keys()


def test_the_graph_holds_no_circle_though_the_limits_lead_back() -> None:
    downstream = dg.AssetSpec("thresholds", deps=["features"])
    definitions = dg.Definitions(assets=[*TOPICS, *TABLES, *OUTLETS, *REGISTRY, downstream])
    graph = definitions.resolve_asset_graph()
    assert graph.get(dg.AssetKey(["stream", "limits"])).child_keys == set()
    raw = dg.AssetKey(["kafka", "iot_sensor_raw"])
    assert graph.get(dg.AssetKey("readings")).parent_keys == {raw}
    assert graph.get(dg.AssetKey(["postgres", "stream", "anomalies"])).parent_keys == {
        dg.AssetKey(["kafka", "iot_sensor_anomaly"])
    }
