"""The object storage under the lake, by dagster-aws."""

from typing import Any

import dagster as dg

from sensorlake import settings as settings_module


class Storage(dg.ConfigurableResource):
    """An S3 client of this installation's storage. Its key is read from the settings when a client is made, so that it
    never stands in the configuration that Dagster shows."""

    def get_client(self) -> Any:
        from dagster_aws.s3 import S3Resource  # noqa: PLC0415  takes two seconds to import

        settings = settings_module.load()
        return S3Resource(
            endpoint_url=settings.s3_endpoint,
            region_name="us-east-1",
            aws_access_key_id=settings.s3_access_key,
            aws_secret_access_key=settings.s3_secret_key.get_secret_value(),
            use_ssl=settings.s3_endpoint.startswith("https"),
        ).get_client()
