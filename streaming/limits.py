"""The limits that the alerts lane judges by: the live version of the thresholds table, in a local file.

The lane must not depend on the lake. Joined with the Delta table itself, each new real-time batch would wait 0.4 s for
the table's log to be read and planned, and fail while the storage is away. So a thread takes each published version
over into a file, whole, and a function in Java (decoder/Limits.java) has what stands in it in memory. A version that
cannot be read, or has no rows, leaves the last good one in force.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import orjson
import structlog
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from lakehouse.lake import Lake
from lakehouse.tables import THRESHOLDS
from lakehouse.thresholds import ANY_DEVICE
from sensorlake.errors import LakeError
from sensorlake.settings import Settings
from streaming.decoder import java
from streaming.decoder.jar import LIMITS
from streaming.following import Following

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
FIGURES = ("lower", "upper", "mean", "stddev", "z_limit")
_NAMES = ["device_id", "metric", *FIGURES, "version"]
_SHAPE = f"{', '.join(f'{name} DOUBLE' for name in FIGURES)}, version BIGINT"
_FIND = "sensorlake_limits"


class LimitsFile:
    """Follows the thresholds table of `lake` into the file `path`."""

    def __init__(self, lake: Lake, path: Path) -> None:
        self.path = path
        self._lake = lake
        self._table: DeltaTable | None = None
        self._taken: int | None = None
        self._following = Following("limits", self.refresh)

    @classmethod
    def of(cls, settings: Settings) -> "LimitsFile":
        return cls(Lake.of(settings), settings.data_dir.absolute() / "run" / "limits.jsonl")

    def refresh(self) -> None:
        """Take the live version over, if it is another than the one taken last.

        Raises:
            LakeError: the table cannot be read or is empty, or the disk is full; the file is as it was.
        """
        try:
            if self._table is None:
                self._table = self._lake.open(THRESHOLDS)
            else:
                self._table.update_incremental()
            if (version := self._table.version()) == self._taken:
                return
            rows = self._table.to_pyarrow_table(columns=_NAMES).to_pylist()
        except (DeltaError, OSError) as error:
            raise LakeError(f"the thresholds cannot be read from the lake: {error}") from None
        if not rows:
            raise LakeError(f"version {version} of the table thresholds has no rows; nothing could be judged by it")
        try:
            write(self.path, rows)
        except OSError as error:
            raise LakeError(f"version {version} of the thresholds cannot be kept in {self.path}: {error}") from None
        self._taken = version
        log.info("limits taken over", table_version=version, version=rows[0]["version"], rows=len(rows))

    def follow(self) -> None:
        """Refresh every 5 s from now on, in a thread of its own: a storage that hangs holds up nothing else."""
        self._following.begin(LOOK_SECONDS)

    def close(self) -> None:
        """Follow no longer."""
        self._following.close()


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Put the limits in place of those before, as a whole. A figure that is no finite number is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".new")
    fresh.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
    fresh.replace(path)


def register(spark: SparkSession, path: Path) -> None:
    """Have `of` answer by the file `path` in frames that are made from now on."""
    jvm = spark._jvm
    figures = java.array(spark, jvm.java.lang.String, FIGURES)
    shape = java.data_type(spark, _SHAPE)
    find = getattr(jvm, LIMITS)(str(path), ANY_DEVICE, figures)
    spark._jsparkSession.udf().register(_FIND, find.changing(shape))


def of(device: str, metric: str) -> Column:
    """The figures and the version that hold for the device and metric in these columns: those of its own, else those of
    the metric for any device, else null."""
    return F.call_udf(_FIND, F.col(device), F.col(metric))
