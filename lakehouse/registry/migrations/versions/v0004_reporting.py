"""What reports need: anomalies by month, people's verdicts on them, and schema `facts`, filled from the lake.

`stream.anomalies` becomes partitioned by month, so that age goes a table at a time. A partitioned table's key must hold
the partition's column; as an id is a function of the event time, it is as unique as before. A row of a month without a
partition lands in `stream.anomalies_default`, and moves when its month is made.
"""

from alembic import op

revision = "0004"
down_revision = "0003"

ANOMALIES = (
    "alter table stream.anomalies rename to anomalies_of_before",
    "alter table stream.anomalies_of_before drop constraint anomalies_pkey",
    "drop index stream.anomalies_event_time",
    "drop index stream.anomalies_device_time",
    """
    create table stream.anomalies (
        anomaly_id text not null,
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
        stored_at timestamptz not null default clock_timestamp(),
        primary key (anomaly_id, event_date)
    ) partition by range (event_date)
    """,
    "create index anomalies_event_time on stream.anomalies (event_time)",
    "create index anomalies_device_time on stream.anomalies (device_id, event_time)",
    "comment on column stream.anomalies.stored_at is 'Wall clock of this server when the row was written.'",
    "create table stream.anomalies_default partition of stream.anomalies default",
    """
    create function stream.add_anomalies_month(day date) returns text language plpgsql as $$
    declare
        first date := date_trunc('month', day::timestamp);
        following date := date_trunc('month', day::timestamp) + interval '1 month';
        name text := 'anomalies_' || to_char(day, 'YYYY_MM');
    begin
        perform pg_advisory_xact_lock(7365736573);
        if to_regclass('stream.' || name) is not null then
            return null;
        end if;
        execute format(
            'create table stream.%I (like stream.anomalies including defaults including indexes)', name
        );
        -- No row of the month may stay in the default partition, nor come in while the month is made.
        lock table stream.anomalies_default in access exclusive mode;
        execute format(
            'with moved as ('
            'delete from stream.anomalies_default where event_date >= %L and event_date < %L returning *'
            ') insert into stream.%I select * from moved', first, following, name
        );
        execute format(
            'alter table stream.anomalies attach partition stream.%I for values from (%L) to (%L)',
            name, first, following
        );
        return name;
    end
    $$
    """,
    """
    comment on function stream.add_anomalies_month(date) is
        'Makes the partition of the month that a day lies in; its name, or null where it was there already.'
    """,
    # Months of rows that are there, a year back at most, to two months ahead.
    """
    select stream.add_anomalies_month(month::date) from generate_series(
        date_trunc('month', greatest(
            now() - interval '1 year', least(now(), (select min(event_date) from stream.anomalies_of_before))
        ) at time zone 'UTC'),
        date_trunc('month', now() at time zone 'UTC') + interval '2 months',
        interval '1 month'
    ) as month
    """,
    "insert into stream.anomalies select * from stream.anomalies_of_before",
    "drop table stream.anomalies_of_before",
)

FEEDBACK = (
    """
    create table registry.feedback (
        feedback_id bigint generated always as identity primary key,
        anomaly_id text not null,
        verdict boolean not null,
        given_by text not null,
        given_at timestamptz not null default clock_timestamp(),
        note text not null default ''
    )
    """,
    "create index feedback_anomaly on registry.feedback (anomaly_id, given_at)",
    "comment on table registry.feedback is 'What people said of anomalies; the latest verdict on each one counts.'",
    "comment on column registry.feedback.verdict is 'Was it a real anomaly? False: a false alarm.'",
)

FACTS = (
    "create schema facts",
    "comment on schema facts is 'What reports need of the lake; Dagster replaces it day by day.'",
    """
    create table facts.device_days (
        event_date date not null,
        device_id text not null,
        metric text not null,
        readings bigint not null,
        mean double precision,
        stddev double precision,
        min double precision,
        max double precision,
        anomalies bigint not null,
        gaps bigint not null,
        gap_seconds double precision not null,
        late_readings bigint not null,
        expected_readings double precision,
        maintenance_readings bigint not null,
        location text,
        model text,
        primary key (event_date, device_id, metric)
    )
    """,
    "comment on table facts.device_days is 'One row a UTC day, device and metric that had readings.'",
    "comment on column facts.device_days.anomalies is 'Readings that at least one detector found abnormal.'",
    "comment on column facts.device_days.gaps is 'Pauses of more than three usual intervals, counted where they end.'",
    "comment on column facts.device_days.late_readings is 'Came later than the stream waits for them.'",
    """
    comment on column facts.device_days.expected_readings is
        'By the configured interval, up to the time of loading; null where none is configured.'
    """,
    "comment on column facts.device_days.maintenance_readings is 'Measured while the device was being maintained.'",
    "comment on column facts.device_days.location is 'Of the message, else of the registry.'",
    """
    create table facts.device_hours (
        event_date date not null,
        hour timestamptz not null,
        device_id text not null,
        readings bigint not null,
        anomalies bigint not null,
        primary key (event_date, hour, device_id)
    )
    """,
    "create index device_hours_device on facts.device_hours (device_id, hour) include (anomalies)",
    "comment on table facts.device_hours is 'One row an hour, by its start, and device that had readings.'",
    "comment on column facts.device_hours.event_date is 'UTC day of the hour.'",
    """
    create table facts.reading_days (
        event_date date primary key,
        readings bigint not null,
        valid bigint not null,
        duplicates bigint not null,
        late bigint not null,
        dead_letters bigint not null
    )
    """,
    "comment on table facts.reading_days is 'One row a UTC day: what came of the messages.'",
    "comment on column facts.reading_days.readings is 'Rows that the stream stored, by day of the event.'",
    "comment on column facts.reading_days.valid is 'Those once by id.'",
    """
    comment on column facts.reading_days.duplicates is
        'Stored a second time after the watermark; those within it the stream leaves out itself.'
    """,
    "comment on column facts.reading_days.late is 'Valid ones that came later than the stream waits.'",
    "comment on column facts.reading_days.dead_letters is 'Messages that are no readings, by day of arrival.'",
    """
    create table facts.quality_results (
        day date not null,
        table_name text not null,
        check_name text not null,
        severity text not null,
        passed boolean not null,
        examined bigint not null,
        offenders bigint not null,
        observed double precision,
        detail text not null,
        checked_at timestamptz not null,
        primary key (day, table_name, check_name)
    )
    """,
    "comment on table facts.quality_results is 'One row a day, table and check: its last outcome.'",
    "comment on column facts.quality_results.observed is 'The figure judged, where it is one.'",
    """
    create table facts.threshold_versions (
        version bigint primary key,
        table_version bigint not null,
        published_at timestamptz not null,
        published_by text not null,
        kind text not null,
        why text not null,
        rows bigint not null,
        learned bigint not null,
        manual bigint not null,
        made_from jsonb not null default '{}'
    )
    """,
    """
    comment on table facts.threshold_versions is
        'One row a published version of the thresholds; it stays when the lake no longer remembers it.'
    """,
    "comment on column facts.threshold_versions.kind is 'first, refresh, manual, removal or rollback.'",
    "comment on column facts.threshold_versions.learned is 'Rows of it that come from baselines.'",
    "comment on column facts.threshold_versions.manual is 'Rows of it that were set by hand.'",
    "comment on column facts.threshold_versions.made_from is 'From which data it was made.'",
    """
    create table facts.live_thresholds (
        device_id text not null,
        metric text not null,
        version bigint not null,
        lower double precision,
        upper double precision,
        mean double precision,
        stddev double precision,
        z_limit double precision,
        unit text,
        source text,
        primary key (device_id, metric)
    )
    """,
    "comment on table facts.live_thresholds is 'One row a device (* for any) and metric of the version now in force.'",
    "comment on column facts.live_thresholds.source is 'rule, learned or manual.'",
)


def upgrade() -> None:
    for statement in (*ANOMALIES, *FEEDBACK, *FACTS):
        op.execute(statement)
