"""Everything a demo looks at while readings flow, in one place: what the panel shows and what the summary counts."""

import threading
import time
from dataclasses import dataclass

import pyarrow as pa  # type: ignore[import-untyped]
from deltalake import DeltaTable
from deltalake.exceptions import DeltaError

from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, DEAD_LETTERS, FEATURES, READINGS
from sensorlake.demo import lake_watch, sink_counts
from sensorlake.demo.kafka_tap import KafkaTap
from sensorlake.demo.lake_watch import LakeWatch
from sensorlake.settings import Settings

LOOK_SECONDS = 0.5
_LOOKS_A_FEATURE_COUNT = 10


@dataclass(frozen=True)
class Counts:
    """What lies where at one moment, of this demo alone; None where the place is left out."""

    delta_readings: int
    delta_dead_letters: int
    delta_features: int
    delta_anomalies: int
    postgres_anomalies: int
    influx_readings: int | None
    influx_features: int | None
    influx_anomalies: int | None


class Measure:
    """Begins at a clean cut: what the raw topic holds now was consumed, and nothing new is sent yet."""

    def __init__(self, settings: Settings, tap: KafkaTap, *, influxdb: bool) -> None:
        self.began = time.time()
        self.tap = tap
        self.settings = settings
        self.first_offsets = tap.raw_ends()
        lake = Lake.of(settings)
        self.lake = LakeWatch(lake.open(READINGS), self.first_offsets)
        self._features = lake.open(FEATURES)
        self._anomalies = lake.open(ANOMALIES)
        self._features_before = lake_watch.rows(self._features)
        self._anomalies_before = lake_watch.rows(self._anomalies)
        self._features_noted_before = self.features_noted = _noted(self._features)
        self._influx = sink_counts.InfluxCount(settings, self.began) if influxdb else None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lake-looks", daemon=True)
        self.trouble: str | None = None

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(10)

    @property
    def features_new(self) -> int:
        """Rows of `features` since the start by the notes in the table's log: cheap, for the panel."""
        return self.features_noted - self._features_noted_before

    def messages_sent(self) -> int:
        """Messages that Kafka got since the start, by its own offsets."""
        return sum(self.tap.raw_ends().values()) - sum(self.first_offsets.values())

    def behind(self) -> list[str]:
        """Places that have not got everything yet."""
        missing = []
        if self.lake.batches.messages < self.messages_sent():
            missing.append("lake")
        if self.tap.dead_letters < self.lake.batches.dead_letters:
            missing.append("alerts")
        if missing:
            return missing
        anomalies = len(self.tap.alerts.latencies)
        if sink_counts.postgres_anomalies(self.settings, self.began) < anomalies:
            missing.append("postgres")
        self._anomalies.update_incremental()
        if _noted(self._anomalies) - self._anomalies_before < anomalies:
            missing.append("anomalies")
        if self._influx and self._influx.anomalies() < anomalies:
            missing.append("influxdb")
        if self._influx and (
            self._influx.readings() < self.lake.readings or self._influx.features() < self._features_to_chart()
        ):
            missing.append("metrics")
        return missing

    def _features_to_chart(self) -> int:
        """Rows of `features` whose window ended since the start, as those counted in InfluxDB have."""
        self._features.update_incremental()
        return lake_watch.rows_since(self._features, "window_end", self.began)

    def counts(self) -> Counts:
        """Count the rows and points themselves."""
        settings, first, lake = self.settings, self.first_offsets, Lake.of(self.settings)
        self._features.update_incremental()
        self._anomalies.update_incremental()
        return Counts(
            delta_readings=lake_watch.rows_from(lake.open(READINGS), first),
            delta_dead_letters=lake_watch.rows_from(lake.open(DEAD_LETTERS), first),
            delta_features=lake_watch.rows(self._features) - self._features_before,
            delta_anomalies=lake_watch.rows(self._anomalies) - self._anomalies_before,
            postgres_anomalies=sink_counts.postgres_anomalies(settings, self.began),
            influx_readings=self._influx.readings() if self._influx else None,
            influx_features=self._influx.features() if self._influx else None,
            influx_anomalies=self._influx.anomalies() if self._influx else None,
        )

    def _run(self) -> None:
        looks = 0
        while not self._stop.wait(LOOK_SECONDS):
            try:
                self.lake.look()
                if looks % _LOOKS_A_FEATURE_COUNT == 0:
                    self._features.update_incremental()
                    self.features_noted = _noted(self._features)
                self.trouble = None
            except (OSError, DeltaError, pa.ArrowException) as error:  # MinIO may be restarting: the next look tells
                self.trouble = f"cannot read the lake: {error}"
            looks += 1


def _noted(table: DeltaTable) -> int:
    """Rows of a table as its log has them."""
    actions = pa.table(table.get_add_actions(flatten=True))
    return int(sum(value or 0 for value in actions["num_records"].to_pylist()))
