"""Writes what a new registry starts with; a row that is there already stays as it is.

`seed/devices.csv` holds the two example series and the first 500 devices of `sensorlake simulate`, each at its
location in the default fleet (10,000 sensors, seed 0). Maintenance and events are counted back from the hour of the
migration, so that they lie beside the readings of a demo. `delete from registry.devices where is_example` removes these
devices with their configurations and maintenance.
"""

import csv
import json
from pathlib import Path

from sqlalchemy import Connection, text

SEED = Path(__file__).parent / "seed"
LIMITS = Path(__file__).parents[2] / "contracts" / "limits.json"

# A normal value strays this far about twice in a thousand million readings: few enough at 10,000 readings a second.
Z_LIMIT = 6.0
# These tell how the device is, not what it measures.
ABOUT_THE_DEVICE = {"battery", "signal"}


def alert_rules(connection: Connection) -> None:
    """One rule a metric of contracts/limits.json, for every device."""
    rules = [
        {**limit, "z_limit": Z_LIMIT, "severity": "warning" if limit["metric"] in ABOUT_THE_DEVICE else "critical"}
        for limit in json.loads(LIMITS.read_text("utf-8"))
    ]
    _write(
        connection,
        """
        insert into registry.alert_rules (metric, lower, upper, z_limit, severity, unit, description, source)
        select metric, lower, upper, z_limit, severity, unit, description, source
        from jsonb_to_recordset(cast(:rows as jsonb)) as given (
            metric text, lower double precision, upper double precision, z_limit double precision, severity text,
            unit text, description text, source text
        )
        on conflict do nothing
        """,
        rules,
    )


def devices(connection: Connection) -> None:
    """The example devices and every version of their configuration."""
    _write(
        connection,
        """
        insert into registry.devices (device_id, model, location, installed_at, is_example)
        select device_id, model, location, installed_at, true
        from jsonb_to_recordset(cast(:rows as jsonb)) as given (
            device_id text, model text, location text, installed_at timestamptz
        )
        on conflict do nothing
        """,
        rows("devices"),
    )
    _write(
        connection,
        """
        insert into registry.device_configs (device_id, version, valid_from, interval_seconds, firmware)
        select device_id, version, valid_from, interval_seconds, firmware
        from jsonb_to_recordset(cast(:rows as jsonb)) as given (
            device_id text, version integer, valid_from timestamptz, interval_seconds double precision, firmware text
        )
        on conflict do nothing
        """,
        rows("device_configs"),
    )


def history(connection: Connection) -> None:
    """Maintenance and events of the example devices."""
    _write(
        connection,
        """
        insert into registry.maintenance (device_id, started_at, ended_at, kind, note)
        select device_id, started_at, started_at + hours * interval '1 hour', kind, note
        from jsonb_to_recordset(cast(:rows as jsonb)) as given (
            device_id text, days_ago double precision, hours double precision, kind text, note text
        ),
        lateral (select date_trunc('hour', now()) - days_ago * interval '1 day' as started_at) as counted_back
        on conflict do nothing
        """,
        rows("maintenance"),
    )
    _write(
        connection,
        """
        insert into registry.ops_events (event_id, device_id, location, event_type, event_time, detail, is_example)
        select event_id, device_id, location, event_type, date_trunc('hour', now()) - days_ago * interval '1 day',
            case when note is null then '{}' else jsonb_build_object('note', note) end, true
        from jsonb_to_recordset(cast(:rows as jsonb)) as given (
            event_id text, device_id text, location text, days_ago double precision, event_type text, note text
        )
        on conflict do nothing
        """,
        rows("ops_events"),
    )


def rows(name: str) -> list[dict[str, str | None]]:
    """The rows of `seed/<name>.csv`; an empty cell is None."""
    with (SEED / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        return [{column: cell or None for column, cell in row.items()} for row in csv.DictReader(file)]


def _write(connection: Connection, statement: str, given: object) -> None:
    """One statement for all rows, however many: a statement a row would be a round trip a row."""
    connection.execute(text(statement), {"rows": json.dumps(given)})
