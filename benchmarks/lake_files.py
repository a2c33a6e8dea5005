"""The lake as a reader apart from the stream sees it: the commits of a Delta table and single columns of it."""

from collections import Counter
from dataclasses import dataclass

import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]
from deltalake import DeltaTable
from pyarrow import fs

from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, Table
from sensorlake.settings import Settings


@dataclass(frozen=True)
class Commit:
    """One version of a table: the files with new rows (none for a compaction) and the writer's own counts."""

    version: int
    files: tuple[str, ...]
    counts: dict[str, int]


class LakeFiles:
    """Reads the log of tables straight, one small object a look: what is in it is what any reader finds."""

    def __init__(self, settings: Settings) -> None:
        scheme, _, address = settings.s3_endpoint.partition("://")
        secret = settings.s3_secret_key.get_secret_value()
        self._bucket = settings.lake_bucket
        self._files = fs.S3FileSystem(
            access_key=settings.s3_access_key,
            secret_key=secret,
            endpoint_override=address,
            scheme=scheme,
            region="us-east-1",
        )
        self._lake = Lake.of(settings)

    def commit(self, table: Table, version: int) -> Commit | None:
        """A version of a table; None while it is not there."""
        path = f"{self._bucket}/{table.name}/_delta_log/{version:020d}.json"
        try:
            with self._files.open_input_stream(path) as stream:
                return parse(version, stream.read())
        except FileNotFoundError:
            return None

    def version(self, table: Table) -> int:
        return int(self._table(table).version())

    def file_column(self, table: Table, file: str, column: str) -> pa.ChunkedArray:
        """A column of one file of a table."""
        path = f"{self._bucket}/{table.name}/{file}"
        return pq.read_table(path, columns=[column], filesystem=self._files, partitioning=None)[column]

    def column(self, table: Table, column: str) -> pa.ChunkedArray:
        """A column of the whole table as it is now."""
        return self._table(table).to_pyarrow_table(columns=[column])[column]

    def rows(self, table: Table) -> int:
        """How many rows the table has now, as its log says."""
        counts = pa.table(self._table(table).get_add_actions(flatten=True))["num_records"]
        return int(pc.sum(counts).as_py() or 0)

    def counts(self, table: Table) -> dict[str, int]:
        """What the writer's notes in all commits of the table add up to."""
        found: Counter[str] = Counter()
        for version in range(self.version(table) + 1):
            if (commit := self.commit(table, version)) is not None:
                found.update(commit.counts)
        return dict(found)

    def column_of(self, table: Table, column: str, devices: list[str]) -> pa.ChunkedArray:
        """A column of the rows of these devices."""
        rows = self._table(table).to_pyarrow_dataset()
        return rows.to_table(columns=[column], filter=pc.field("device_id").isin(devices))[column]

    def alerts(self) -> pa.ChunkedArray:
        """The ids of the anomalies as they are now, without those of the detectors."""
        rows = self._table(ANOMALIES).to_pyarrow_table(columns=["anomaly_id", "detector"])
        return rows["anomaly_id"].filter(pc.invert(pc.starts_with(rows["detector"].cast(pa.string()), "learned_")))

    def _table(self, table: Table) -> DeltaTable:
        return self._lake.open(table)


def parse(version: int, text: bytes) -> Commit:
    """A commit from its file in the log."""
    files: list[str] = []
    counts: dict[str, int] = {}
    for line in text.splitlines():
        action = orjson.loads(line)
        if (add := action.get("add")) and add["dataChange"]:
            files.append(add["path"])
        if metadata := action.get("commitInfo", {}).get("userMetadata"):
            counts = _counts(metadata)
    return Commit(version, tuple(files), counts)


def _counts(metadata: str) -> dict[str, int]:
    try:
        return {name: int(value) for name, value in orjson.loads(metadata).items()}
    except (ValueError, TypeError, AttributeError):
        return {}
