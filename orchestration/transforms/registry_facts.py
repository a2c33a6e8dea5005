"""What the registry knows of each device, for one day: one row a device, with lists of what held when."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

from sqlalchemy import text

from lakehouse.registry.database import transaction
from sensorlake.settings import Settings

HOUR = timedelta(hours=1)
_FAR = datetime(9999, 1, 1, tzinfo=UTC)

# (valid_from, valid_to, interval_seconds, firmware), (started_at, ended_at, kind), (event_time, event_type)
DDL = (
    "device_id STRING, model STRING, registered_location STRING, "
    "configurations ARRAY<STRUCT<"
    "valid_from: TIMESTAMP, valid_to: TIMESTAMP, interval_seconds: DOUBLE, firmware: STRING>>, "
    "maintenance ARRAY<STRUCT<started_at: TIMESTAMP, ended_at: TIMESTAMP, kind: STRING>>, "
    "events ARRAY<STRUCT<event_time: TIMESTAMP, event_type: STRING>>"
)
EVENTS_DDL = "location STRING, location_events ARRAY<STRUCT<event_time: TIMESTAMP, event_type: STRING>>"

_QUERIES = {
    "devices": "select device_id, model, location from registry.devices",
    "configurations": """
        select device_id, valid_from,
            coalesce(lead(valid_from) over (partition by device_id order by valid_from), :far) as valid_to,
            interval_seconds, firmware
        from registry.device_configs
    """,
    "maintenance": """
        select device_id, started_at, coalesce(ended_at, :far) as ended_at, kind from registry.maintenance
        where started_at < :end and coalesce(ended_at, :far) >= :start
    """,
    "events": """
        select device_id, location, event_time, event_type from registry.ops_events
        where event_time >= :before and event_time < :end
    """,
}


class RegistryFacts:
    """Rows for `DDL` (`devices`) and `EVENTS_DDL` (`locations`); `everywhere`: events that concern all devices."""

    def __init__(self, found: dict[str, list[Any]], start: datetime, end: datetime) -> None:
        configurations: dict[str, list[Any]] = {}
        for device, since, until, interval, firmware in found["configurations"]:
            if since < end and until > start:
                configurations.setdefault(device, []).append((since, until, interval, firmware))
        maintenance: dict[str, list[Any]] = {}
        for device, since, until, kind in found["maintenance"]:
            maintenance.setdefault(device, []).append((since, until, kind))
        events: dict[str, list[Any]] = {}
        places: dict[str, list[Any]] = {}
        self.everywhere: list[Any] = []
        for device, location, moment, kind in found["events"]:
            if device is not None:
                events.setdefault(device, []).append((moment, kind))
            elif location is not None:
                places.setdefault(location, []).append((moment, kind))
            else:
                self.everywhere.append((moment, kind))
        known = {device: (model, location) for device, model, location in found["devices"]}
        self.devices = [
            (device, model, location, *(of.get(device, []) for of in (configurations, maintenance, events)))
            for device, (model, location) in known.items()
        ]
        # An event may name a device that nobody registered.
        self.others = [(device, list_) for device, list_ in events.items() if device not in known]
        self.locations = list(places.items())


def read(settings: Settings, day: date) -> RegistryFacts:
    """
    Raises:
        StackError: PostgreSQL is not reachable or refuses us.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = start + timedelta(days=1)
    bounds = {"start": start, "end": end, "before": start - HOUR, "far": _FAR}
    with transaction(settings) as connection:
        found = {
            name: list(connection.execute(text(query), {key: bounds[key] for key in bounds if f":{key}" in query}))
            for name, query in _QUERIES.items()
        }
    return RegistryFacts(found, start, end)
