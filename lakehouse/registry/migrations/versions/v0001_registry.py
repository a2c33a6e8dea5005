"""Schema `registry`: what people know about devices.

Plain SQL, and only forwards: a migration must mean the same for ever, so it leans on no code that may change.
"""

from alembic import op

revision = "0001"
down_revision = None

TABLES = (
    """
    create table registry.devices (
        device_id text primary key,
        model text,
        location text,
        installed_at timestamptz not null,
        retired_at timestamptz,
        is_example boolean not null default false,
        check (retired_at >= installed_at)
    )
    """,
    "create index devices_location on registry.devices (location)",
    "create index devices_model on registry.devices (model)",
    "comment on table registry.devices is 'One row a device. Readings may come from devices that are not in it.'",
    "comment on column registry.devices.is_example is 'Shipped with sensorlake; safe to delete.'",
    """
    create table registry.device_configs (
        device_id text not null references registry.devices on delete cascade,
        version integer not null check (version >= 1),
        valid_from timestamptz not null,
        interval_seconds double precision check (interval_seconds > 0),
        firmware text,
        settings jsonb not null default '{}',
        primary key (device_id, version),
        unique (device_id, valid_from)
    )
    """,
    "comment on table registry.device_configs is 'One row a device and version; valid until its next one.'",
    """
    create table registry.alert_rules (
        rule_id bigint generated always as identity primary key,
        metric text not null,
        device_id text check (device_id <> '*'),
        lower double precision,
        upper double precision,
        z_limit double precision check (z_limit > 0),
        severity text not null default 'critical' check (severity in ('warning', 'critical')),
        unit text,
        description text not null default '',
        source text not null default '',
        check (lower < upper),
        check (coalesce(lower, upper, z_limit) is not null)
    )
    """,
    "create unique index alert_rules_device_metric on registry.alert_rules (coalesce(device_id, '*'), metric)",
    "comment on column registry.alert_rules.device_id is 'Null: every device without a rule of its own.'",
    "comment on column registry.alert_rules.z_limit is 'Standard deviations from the mean, once a baseline is known.'",
    "comment on column registry.alert_rules.source is 'Where the limits come from.'",
    """
    create table registry.maintenance (
        maintenance_id bigint generated always as identity primary key,
        device_id text not null references registry.devices on delete cascade,
        started_at timestamptz not null,
        ended_at timestamptz,
        kind text not null,
        note text not null default '',
        unique (device_id, started_at, kind),
        check (ended_at >= started_at)
    )
    """,
    "create index maintenance_started_at on registry.maintenance (started_at)",
    "comment on column registry.maintenance.ended_at is 'Null: still going on.'",
    """
    create table registry.ops_events (
        event_id text primary key,
        device_id text,
        location text,
        event_type text not null,
        event_time timestamptz not null,
        detail jsonb not null default '{}',
        is_example boolean not null default false
    )
    """,
    "create index ops_events_event_time on registry.ops_events (event_time)",
    "create index ops_events_device_time on registry.ops_events (device_id, event_time)",
    """
    comment on table registry.ops_events is
        'What happened to a device, a location (device null) or everything (both null). Devices need not be registered.'
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
