"""Schema `stream`: what the streaming job writes.

No foreign key leads to the registry: a device that nobody registered raises alarms, too. `anomalies` has the columns of
contracts/schemas/anomaly.avsc (a test compares them) and `stored_at`, from which its delay is measured.
"""

from alembic import op

revision = "0002"
down_revision = "0001"

TABLES = (
    "create schema stream",
    """
    create table stream.anomalies (
        anomaly_id text primary key,
        device_id text not null,
        sensor_id text not null,
        metric text not null,
        event_time timestamptz not null,
        window_start timestamptz,
        window_end timestamptz,
        value double precision not null,
        score double precision not null,
        threshold double precision not null,
        detector text not null,
        severity text not null,
        is_anomaly boolean not null,
        features jsonb not null default '{}',
        threshold_version bigint,
        model_version text,
        detected_at timestamptz not null,
        event_date date not null,
        stored_at timestamptz not null default clock_timestamp()
    )
    """,
    "create index anomalies_event_time on stream.anomalies (event_time)",
    "create index anomalies_device_time on stream.anomalies (device_id, event_time)",
    "comment on column stream.anomalies.stored_at is 'Wall clock of this server when the row was written.'",
    """
    create table stream.summaries (
        device_id text not null,
        metric text not null,
        period text not null check (period in ('minute', 'hour', 'day')),
        period_start timestamptz not null,
        readings bigint not null check (readings >= 0),
        anomalies bigint not null default 0 check (anomalies >= 0),
        mean double precision,
        stddev double precision,
        min double precision,
        max double precision,
        updated_at timestamptz not null default clock_timestamp(),
        primary key (device_id, metric, period, period_start)
    )
    """,
    "create index summaries_period on stream.summaries (period, period_start)",
    """
    comment on table stream.summaries is
        'One row a device, metric and period that had readings. Rows hold whole counts: writing one again replaces it.'
    """,
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
