"""A replay on the installation's own servers, as command line and Dagster start it."""

from collections.abc import Iterable, Mapping, Sequence

from contracts.topics import Topics
from lakehouse.dead_letters import table
from lakehouse.dead_letters.outlet import KafkaOutlet
from lakehouse.dead_letters.replay import Plan, Tally, replay
from lakehouse.dead_letters.selection import Selection
from lakehouse.lake import Lake
from lakehouse.registry import replays
from lakehouse.registry.replays import Origin, Outcome, Replay
from sensorlake import connections
from sensorlake.settings import Settings


class PostgresLedger:
    """registry.replays; `run` says there who replayed."""

    def __init__(self, settings: Settings, run: str) -> None:
        self._settings = settings
        self._run = run

    def recorded(self, origins: Iterable[Origin]) -> Mapping[Origin, Outcome]:
        return replays.recorded(self._settings, origins)

    def record(self, done: Sequence[Replay]) -> None:
        replays.record(self._settings, done, self._run)


def replay_selected(settings: Settings, lake: Lake, selection: Selection, plan: Plan, run: str) -> Tally:
    """Send the selected dead letters to the raw topic again.

    The table is read as it is now, so that letters which come back while this runs are left for the next run.

    Raises:
        DeadLetterError: another replay runs, there is no such table or topic, or the broker did not confirm.
        StackError: PostgreSQL is not reachable or was not migrated.
    """
    with replays.only_one(settings):
        outlet = KafkaOutlet(
            settings.kafka_bootstrap_servers, Topics(settings.topic_prefix).raw, connections.kafka_access(settings)
        )
        return replay(table.letters(lake, selection), outlet, PostgresLedger(settings, run), plan)
