"""The asset `training_set`: labelled readings that models are trained and judged on."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.metadata import column_lineage, table_schema
from orchestration.outages import reachable_lake
from orchestration.resources.installation import Installation

_LINEAGE = column_lineage(
    {name: {"readings": [name]} for name in ("device_id", "metric", "event_time", "value")}
    | {"abnormal": {"anomalies": ["anomaly_id"], "postgres/registry/feedback": ["verdict"]}}
)


class Extent(dg.Config):
    """Where readings come from (auto: the lake where it holds enough, else a simulated fleet), and how many.

    devices: SENSORLAKE_TRAINING_DEVICES, unless said here. fault_share: of the series in the test part that get a
    fault. seed: the same gives the same simulated fleet and the same faults.
    """

    source: str = "auto"
    devices: int | None = None
    minutes: float = 90
    fault_share: float = 0.5
    interval_seconds: float = 1.0
    least_devices: int = 10
    least_readings: int = 600
    seed: int = 0


@dg.asset(
    deps=["readings", "anomalies", dg.AssetKey(["postgres", "registry", "feedback"])],
    group_name="models",
    owners=["team:sensorlake-operations"],
    kinds={"numpy", "deltalake"},
    pool="training_sets",
    metadata={
        "dagster/column_schema": table_schema("training_reading"),
        "dagster/column_lineage": _LINEAGE,
        "dagster/table_name": "training_sets",
    },
)
def training_set(
    context: dg.AssetExecutionContext, installation: Installation, config: Extent
) -> dg.MaterializeResult[Any]:
    """A new version: normal readings to train on, others to set thresholds by, and later ones with faults that are held
    back. From the lake, or of a simulated fleet where that holds too little."""
    from orchestration.training import sets  # noqa: PLC0415  imports Arrow and numpy

    devices = config.devices or installation.settings.training_devices
    wanted = sets.Wanted(**config.model_dump() | {"devices": devices})
    with reachable_lake(installation) as lake:
        verdicts = {} if wanted.source == sets.GENERATED else installation.verdicts()
        made = sets.make(lake, wanted, verdicts, datetime.now(UTC))
    context.log.info(f"training set {made['version']} from {made['origin']}: {made['dagster/row_count']} readings")
    return dg.MaterializeResult(metadata=made)
