"""First contents: the shipped alert rules, and the devices of the examples and of the simulator.

The rules come from contracts/limits.json as it is when this runs. When that file changes later, a new migration carries
the change over, and only into rows that still hold the old limits: an upsert at every start would undo what an operator
changed.
"""

from alembic import op

from lakehouse.registry import seeding

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    connection = op.get_bind()
    seeding.alert_rules(connection)
    seeding.devices(connection)
    seeding.history(connection)
