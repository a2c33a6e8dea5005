"""The rules by which readings are judged before anything has been learned about a device."""

from dataclasses import dataclass
from typing import Literal

from sqlalchemy import text

from lakehouse.postgres import ANSWER_SECONDS
from lakehouse.registry.database import transaction
from sensorlake.settings import Settings


@dataclass(frozen=True)
class AlertRule:
    """What is normal for a metric of one device, or of every device where `device_id` is None.

    `lower` and `upper` are hard limits in `unit`; `z_limit` counts standard deviations from the mean. A limit that is
    None is not applied; at least one is there.
    """

    metric: str
    device_id: str | None
    lower: float | None
    upper: float | None
    z_limit: float | None
    severity: Literal["warning", "critical"]
    unit: str | None
    description: str
    source: str


def alert_rules(settings: Settings) -> list[AlertRule]:
    """All rules, by metric, the one for every device before those of single devices.

    Raises:
        StackError: PostgreSQL is not reachable or refuses us.
    """
    with transaction(settings, ANSWER_SECONDS) as connection:
        found = connection.execute(
            text(
                "select metric, device_id, lower, upper, z_limit, severity, unit, description, source "
                "from registry.alert_rules order by metric, device_id nulls first"
            )
        )
        return [AlertRule(**row) for row in found.mappings()]
