"""The Delta tables of the stream, which is their one writer (docs/decisions/one-writer-per-table.md)."""

from datetime import timedelta
from typing import Any

import dagster as dg

from contracts.avro import field_names
from lakehouse import tables
from lakehouse.tables import Table
from orchestration.defs.stream.topics import ANOMALY, RAW
from orchestration.metadata import Sources, column_lineage, same_columns, table_schema

# The lake query commits every 10 s while anything arrives. Dead letters and anomalies have no such policy: that there
# are none is good news.
_STEADY = dg.FreshnessPolicy.time_window(fail_window=timedelta(minutes=30), warn_window=timedelta(minutes=10))


def _feature_lineage() -> dict[str, Sources]:
    of_window = ["window_kind", "window_start", "window_end", "event_date"]
    of_time = ["delta", "rate_of_change"]
    found: dict[str, Sources] = {name: {"readings": ["value"]} for name in field_names("feature")}
    found |= {name: {"readings": ["event_time"]} for name in of_window}
    found |= {name: {"readings": ["value", "event_time"]} for name in of_time}
    found |= {"count": {"readings": ["reading_id"]}}
    return found | {name: {"readings": [name]} for name in ("device_id", "metric")}


def _table(table: Table, deps: tuple[str, ...], lineage: dict[str, Sources], **more: Any) -> dg.AssetSpec:
    return dg.AssetSpec(
        table.name,
        deps=[dg.AssetKey.from_user_string(each) for each in deps],
        description=f"{table.description} Written by the stream; one partition a UTC day.",
        group_name="stream",
        owners=["team:sensorlake-operations"],
        kinds={"deltalake"},
        metadata={
            "dagster/column_schema": table_schema(table.record),
            "dagster/table_name": table.name,
            "dagster/storage_kind": "deltalake",
            "partitioned_by": str(table.partition),
        }
        | ({"dagster/column_lineage": column_lineage(lineage)} if lineage else {}),
        **more,
    )


TABLES = [
    _table(tables.READINGS, (RAW,), same_columns("reading", RAW), freshness_policy=_STEADY),
    # A message that cannot be read has no columns to come from.
    _table(tables.DEAD_LETTERS, (RAW,), {}),
    _table(tables.FEATURES, ("readings",), _feature_lineage(), freshness_policy=_STEADY),
    _table(tables.ANOMALIES, (ANOMALY,), same_columns("anomaly", ANOMALY)),
]
