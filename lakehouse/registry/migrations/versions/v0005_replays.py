"""Which dead letters were sent again, and which were given up."""

from alembic import op

revision = "0005"
down_revision = "0004"

TABLES = (
    """
    create table registry.replays (
        source_topic text not null,
        source_partition integer not null,
        source_offset bigint not null,
        outcome text not null check (outcome in ('sent', 'quarantined')),
        replay_count integer not null check (replay_count >= 0),
        dq_reason text not null,
        event_date date not null,
        run text not null,
        replayed_at timestamptz not null default clock_timestamp(),
        primary key (source_topic, source_partition, source_offset)
    )
    """,
    "comment on table registry.replays is 'One row a dead letter that was sent again or given up, by its place.'",
    "comment on column registry.replays.replay_count is 'Sent: what its header said then. Quarantined: its tries.'",
    "comment on column registry.replays.event_date is 'UTC day on which the message arrived.'",
    "comment on column registry.replays.run is 'Who did it: a run of Dagster, or a command and its start.'",
)


def upgrade() -> None:
    for statement in TABLES:
        op.execute(statement)
