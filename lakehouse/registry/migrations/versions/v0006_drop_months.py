"""A function that drops a month of anomalies, so that who sweeps need not own the table."""

from alembic import op

revision = "0006"
down_revision = "0005"

FUNCTION = (
    """
    create function stream.drop_anomalies_month(day date) returns text language plpgsql as $$
    declare
        name text := 'anomalies_' || to_char(day, 'YYYY_MM');
    begin
        if to_regclass('stream.' || name) is null then
            return null;
        end if;
        execute format('drop table stream.%I', name);
        return name;
    end
    $$
    """,
    """
    comment on function stream.drop_anomalies_month(date) is
        'Drops the partition of the month that a day lies in; its name, or null where there is none.'
    """,
)


def upgrade() -> None:
    for statement in FUNCTION:
        op.execute(statement)
