"""The thresholds table: one version at a time, published in one Delta commit."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pyarrow as pa  # type: ignore[import-untyped]
from deltalake import write_deltalake

from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.tables import THRESHOLDS
from sensorlake.errors import LakeError

if TYPE_CHECKING:
    from lakehouse.registry import AlertRule

ANY_DEVICE = "*"
FIRST_VERSION = 1


def ensure_first_version(lake: Lake, rules: "Sequence[AlertRule]") -> None:
    """Publish version 1 from the physical limits of `rules`, unless a version is live already.

    Raises:
        LakeError: there is no rule, so that no reading could ever be judged.
    """
    table = creation.ensure(lake, THRESHOLDS)
    if table.file_uris():
        return
    if not rules:
        raise LakeError(
            "registry.alert_rules is empty, so there is nothing to judge readings by: add a row for each metric"
        )
    now = datetime.now(UTC)
    rows = [
        {
            "device_id": rule.device_id or ANY_DEVICE,
            "metric": rule.metric,
            "lower": rule.lower,
            "upper": rule.upper,
            "z_limit": rule.z_limit,
            "unit": rule.unit,
            "version": FIRST_VERSION,
            "published_at": now,
            "published_by": "registry.alert_rules",
        }
        for rule in rules
    ]
    write_deltalake(table, pa.Table.from_pylist(rows, schema=arrow_schema(THRESHOLDS.record)), mode="overwrite")
