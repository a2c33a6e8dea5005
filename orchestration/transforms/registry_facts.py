"""What the registry knows of each device, for one day: one row a device, with lists of what held when."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
from sqlalchemy import text

from lakehouse.registry.database import transaction
from sensorlake.settings import Settings

HOUR = timedelta(hours=1)
_FAR = datetime(9999, 1, 1, tzinfo=UTC)

_TEXT, _MOMENT = pa.string(), pa.timestamp("us", "UTC")
_CONFIGURATION = {"valid_from": _MOMENT, "valid_to": _MOMENT, "interval_seconds": pa.float64(), "firmware": _TEXT}
_MAINTENANCE = {"started_at": _MOMENT, "ended_at": _MOMENT, "kind": _TEXT}
_EVENTS = pa.list_(pa.struct({"event_time": _MOMENT, "event_type": _TEXT}))
_DEVICES = pa.schema(
    {
        **{"device_id": _TEXT, "model": _TEXT, "registered_location": _TEXT},
        "configurations": pa.list_(pa.struct(_CONFIGURATION)),
        "maintenance": pa.list_(pa.struct(_MAINTENANCE)),
        "events": _EVENTS,
    }
)
_LOCATIONS = pa.schema({"location": _TEXT, "location_events": _EVENTS})

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
    """Tables of what is known of each device: of the registered ones, of `others` and of `locations`; `everywhere`:
    events that concern all devices.

    Arrow, which Spark takes as it is: for rows of Python it would start workers, which takes seconds.
    """

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
        self.devices = _table(
            _DEVICES,
            [
                (device, model, location, *(of.get(device, []) for of in (configurations, maintenance, events)))
                for device, (model, location) in known.items()
            ],
        )
        # An event may name a device that nobody registered.
        unknown = [(device, None, None, [], [], list_) for device, list_ in events.items() if device not in known]
        self.others = _table(_DEVICES, unknown)
        self.locations = _table(_LOCATIONS, list(places.items()))


def _table(schema: pa.Schema, rows: list[Any]) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [[] for _ in schema]
    found = [pa.array(list(column), field.type) for column, field in zip(columns, schema, strict=True)]
    return pa.table(found, schema=schema)


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
