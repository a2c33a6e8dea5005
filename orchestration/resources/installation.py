"""The installation that assets work for: its settings, and its lake as seen without Spark."""

from typing import TYPE_CHECKING

import dagster as dg

from sensorlake import settings as settings_module
from sensorlake.settings import Settings

if TYPE_CHECKING:
    from lakehouse.lake import Lake
    from lakehouse.models.store import ModelStore
    from lakehouse.registry import AlertRule


class Installation(dg.ConfigurableResource):
    """Has no fields for passwords: Dagster shows the configuration of its resources to everybody."""

    lake_root: str | None = None
    """A local folder in place of the bucket, for tests."""

    @property
    def settings(self) -> Settings:
        """Read anew each time, as `sensorlake up` may have moved a server to another port."""
        return settings_module.load()

    @property
    def lake(self) -> "Lake":
        from lakehouse.lake import Lake  # noqa: PLC0415  imports delta-rs

        return Lake(self.lake_root) if self.lake_root else Lake.of(self.settings)

    @property
    def models(self) -> "ModelStore":
        """The store of models; beside the lake where that is a local folder."""
        from lakehouse.models.store import ModelStore  # noqa: PLC0415

        settings = self.settings
        if self.lake_root:
            return ModelStore.in_folder(f"{self.lake_root}-models", settings.model_signing_key.get_secret_value())
        return ModelStore.of(settings)

    def verdicts(self) -> dict[str, bool]:
        """What operators said of anomalies: is it real, by its id?"""
        from lakehouse.registry import feedback  # noqa: PLC0415  imports SQLAlchemy

        return feedback.latest(self.settings)

    def alert_rules(self) -> "list[AlertRule]":
        """The registry's limits, before anything is learned."""
        from lakehouse import registry  # noqa: PLC0415  imports SQLAlchemy

        return registry.alert_rules(self.settings)
