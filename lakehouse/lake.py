"""The lake without Spark: a table's log and files opened straight, in milliseconds."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pyarrow as pa  # type: ignore[import-untyped]
from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

from lakehouse.columns import arrow_schema
from lakehouse.tables import Owner, Table
from sensorlake import connections
from sensorlake.errors import LakeError
from sensorlake.settings import Settings


@dataclass(frozen=True)
class Lake:
    """Where the tables lie: a bucket, or a local folder; `options` say how to get at the bucket."""

    root: str
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, settings: Settings) -> "Lake":
        connections.trust(settings)
        return cls(
            settings.lake_bucket,
            {
                "AWS_ENDPOINT_URL": settings.s3_endpoint,
                "AWS_ACCESS_KEY_ID": settings.s3_access_key,
                "AWS_SECRET_ACCESS_KEY": settings.s3_secret_key.get_secret_value(),
                "AWS_REGION": "us-east-1",
                "AWS_ALLOW_HTTP": str(settings.s3_endpoint.startswith("http://")).lower(),
                "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "false",
            },
        )

    def uri(self, table: Table) -> str:
        return table.path(self.root).replace("s3a://", "s3://")

    def open(self, table: Table) -> DeltaTable:
        """The table as it is now. Only its owner may write to it (docs/decisions/one-writer-per-table.md)."""
        return DeltaTable(self.uri(table), storage_options=dict(self.options))

    def find(self, table: Table) -> DeltaTable | None:
        """As `open`; None where the table is not there yet."""
        try:
            return self.open(table)
        except TableNotFoundError:
            return None

    def existing(self, table: Table) -> DeltaTable:
        """As `open`, for those who cannot make the table.

        Raises:
            LakeError: it is not there yet; the message says who makes it.
        """
        if (found := self.find(table)) is None:
            maker = (
                "`sensorlake stream`" if table.owner is Owner.STREAM else f"a run of the asset {table.name} in Dagster"
            )
            raise LakeError(f"there is no table {table.name} in {self.root} yet: {maker} makes it")
        return found

    def read(self, table: Table, files: Sequence[str], columns: Sequence[str], rows: int) -> Iterator[pa.Table]:
        """Data files of `table`, by their paths within it, at most `rows` rows at a time. Columns that a file of an
        older version lacks are null; the one that the table is partitioned by is not in its files."""
        # Half a second, which Dagster's processes need not spend.
        import pyarrow.dataset as ds  # type: ignore[import-untyped]  # noqa: PLC0415
        from deltalake.fs import DeltaStorageHandler  # noqa: PLC0415
        from pyarrow.fs import PyFileSystem  # type: ignore[import-untyped]  # noqa: PLC0415

        if not files:
            return
        filesystem = PyFileSystem(DeltaStorageHandler(self.uri(table), dict(self.options)))
        found = ds.dataset(list(files), schema=arrow_schema(table.record), format="parquet", filesystem=filesystem)
        one_by_one = {"batch_size": rows, "batch_readahead": 1, "fragment_readahead": 1, "use_threads": False}
        for batch in found.to_batches(columns=list(columns), **one_by_one):
            yield pa.Table.from_batches([batch])
