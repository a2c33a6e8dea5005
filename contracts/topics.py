"""Names of the Kafka topics that sensorlake reads and writes.

A prefix sets one deployment (or one test) apart from another on the same broker.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Topics:
    """The topic names of one deployment, for example `Topics("")` or `Topics("test-17.")`."""

    prefix: str = ""

    @property
    def raw(self) -> str:
        return f"{self.prefix}iot.sensor.raw"

    @property
    def device_events(self) -> str:
        return f"{self.prefix}iot.device.events"

    @property
    def user_events(self) -> str:
        return f"{self.prefix}user_events"

    @property
    def anomaly(self) -> str:
        return f"{self.prefix}iot.sensor.anomaly"

    @property
    def dead_letter(self) -> str:
        return f"{self.prefix}iot.sensor.dlq"

    def all(self) -> list[str]:
        return [self.raw, self.device_events, self.user_events, self.anomaly, self.dead_letter]
