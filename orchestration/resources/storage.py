"""The object storage under the lake, by dagster-aws."""

from typing import Any

import dagster as dg

from orchestration.resources.installation import Installation
from sensorlake import connections
from sensorlake import settings as settings_module


class Storage(dg.ConfigurableResource):
    """An S3 client of this installation's storage. Its key is read from the settings when a client is made, so that it
    never stands in the configuration that Dagster shows."""

    region_name: str = "us-east-1"

    def stored(self, installation: Installation, table: str) -> dict[str, int]:
        """Objects and bytes under a table's folder, with those that no version needs any more and vacuum has left;
        nothing for a lake in a local folder."""
        if installation.lake_root is not None:
            return {}
        pages = self.get_client().get_paginator("list_objects_v2")
        found = pages.paginate(Bucket=installation.settings.lake_bucket, Prefix=f"{table}/")
        sizes = [each["Size"] for page in found for each in page.get("Contents", ())]
        return {"objects_stored": len(sizes), "bytes_stored": sum(sizes)}

    def get_client(self) -> Any:
        from dagster_aws.s3 import S3Resource  # noqa: PLC0415  takes two seconds to import

        settings = settings_module.load()
        return S3Resource(
            endpoint_url=settings.s3_endpoint,
            region_name=self.region_name,
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
            use_ssl=settings.s3_endpoint.startswith("https"),
            verify=connections.certificates(settings),
        ).get_client()
