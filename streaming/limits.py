"""The limits that the alerts lane judges by: the live version of the thresholds table, in a local file.

The lane must not depend on the lake. Joined with the Delta table itself, each new real-time batch would wait 0.4 s for
the table's log to be read and planned, and fail while the storage is away. So a thread takes each published version
over into a file, whole, and Spark reads that anew at each batch. A version that cannot be read, or has no rows, leaves
the last good one in force.
"""

from pathlib import Path

import orjson
import structlog
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.types import StructType

from lakehouse.lake import Lake
from lakehouse.tables import THRESHOLDS
from sensorlake.errors import LakeError
from streaming.following import Following

log = structlog.get_logger(__name__)

LOOK_SECONDS = 5.0
_FIGURES = ("lower", "upper", "mean", "stddev", "z_limit")
_NAMES = ["device_id", "metric", *_FIGURES, "version"]
_DDL = f"device_id STRING, metric STRING, {', '.join(f'{name} DOUBLE' for name in _FIGURES)}, version BIGINT"


class LimitsFile:
    """Follows the thresholds table of `lake` into the file `path`."""

    def __init__(self, lake: Lake, path: Path) -> None:
        self.path = path
        self._lake = lake
        self._table: DeltaTable | None = None
        self._taken: int | None = None
        self._following = Following("limits", self.refresh)

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
            self.path.parent.mkdir(parents=True, exist_ok=True)
            fresh = self.path.with_suffix(".new")
            fresh.write_bytes(b"".join(orjson.dumps(row) + b"\n" for row in rows))
            fresh.replace(self.path)
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


def read(spark: SparkSession, path: Path) -> DataFrame:
    """The limits in the file, read again whenever the frame is computed: at each batch of a real-time query.

    Spark remembers the files of a data source from one batch to the next, but not what a command printed.
    """
    context, jvm = spark.sparkContext._jsc, spark._jvm
    once = context.parallelize(jvm.java.util.List.of(""), 1)
    lines = once.pipe(jvm.java.util.List.of("cat", str(path)))
    schema = spark._jsparkSession.parseDataType(StructType.fromDDL(_DDL).json())
    return DataFrame(spark._jsparkSession.read().schema(schema).json(lines), spark)
