"""The lake without Spark: a table's log and files opened straight, in milliseconds."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from deltalake import DeltaTable
from deltalake.exceptions import TableNotFoundError

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
