"""What the pages of assets show of a table is what stands in its log and in the contracts."""

from pathlib import Path

import dagster as dg
import pyarrow as pa
from deltalake import write_deltalake

from contracts.avro import field_names
from lakehouse.columns import arrow_schema
from lakehouse.creation import ensure
from lakehouse.lake import Lake
from lakehouse.tables import BASELINES, DEAD_LETTERS
from orchestration import metadata


def test_the_columns_are_those_of_the_contract_with_types_and_meanings() -> None:
    columns = {column.name: column for column in metadata.table_schema("reading").columns}
    assert list(columns) == field_names("reading")
    assert columns["event_time"].type == "timestamp"
    assert columns["event_time"].description == "When the device measured, UTC."
    assert not columns["value"].constraints.nullable
    assert columns["unit"].constraints.nullable
    features = {column.name: column for column in metadata.table_schema("anomaly").columns}["features"]
    assert features.type == "map<string, double>"


def test_an_empty_table_has_no_rows_and_a_filled_one_those_of_its_log(tmp_path: Path) -> None:
    lake = Lake(f"{tmp_path}/lake")
    table = ensure(lake, DEAD_LETTERS)
    assert metadata.delta_metadata(table)["dagster/row_count"] == 0
    schema = arrow_schema("dead_letter")
    for day in (1, 2):
        rows = [{"dq_reason": "malformed", "event_date": day} for _ in range(day)]
        write_deltalake(table, pa.Table.from_pylist(rows, schema), mode="append", partition_by="event_date")
    found = metadata.delta_metadata(lake.open(DEAD_LETTERS))
    assert found["dagster/row_count"] == 3
    assert (found["files"], found["partitions"], found["table_version"]) == (2, 2, 2)
    assert found["size_bytes"] == sum(path.stat().st_size for path in tmp_path.rglob("*.parquet"))
    assert found["dagster/uri"].endswith("/lake/dead_letters")


def test_a_table_without_partitions_is_told_as_one(tmp_path: Path) -> None:
    lake = Lake(f"{tmp_path}/lake")
    ensure(lake, BASELINES)
    assert "partitions" not in metadata.delta_metadata(lake.open(BASELINES))


def test_the_lineage_of_columns_names_assets_and_their_columns() -> None:
    lineage = metadata.column_lineage({"mean": {"readings": ["value"], "lake/other": ["a", "b"]}})
    expected = [
        dg.TableColumnDep(dg.AssetKey("readings"), "value"),
        dg.TableColumnDep(dg.AssetKey(["lake", "other"]), "a"),
        dg.TableColumnDep(dg.AssetKey(["lake", "other"]), "b"),
    ]
    assert sorted(lineage.deps_by_column["mean"], key=str) == sorted(expected, key=str)
    taken_over = metadata.same_columns("dead_letter", "kafka/x", without=("event_date",))
    assert "event_date" not in taken_over
    assert taken_over["key"] == {"kafka/x": ["key"]}
