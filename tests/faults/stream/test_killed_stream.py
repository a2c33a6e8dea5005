"""The stream is killed without warning, again and again, while readings come in: every reading and every anomaly is
there once afterwards, and an alert at least once, under the same id."""

import os
import shutil
from pathlib import Path

import pytest

from tests.faults.stream import accounts
from tests.faults.stream.life import VICTIMS, Life, moments
from tests.faults.stream.load import Load, steady

pytestmark = pytest.mark.integration

RATE = 300
MANY = int(os.environ.get("FAULTS_KILLS", "20"))
DEDUPLICATING = {"lake": "readings", "anomalies": "anomalies", "postgres": "rows", "influxdb": "points"}


@pytest.mark.parametrize("kills", [2, pytest.param(MANY, marks=pytest.mark.long)])
def test_killed_at_random_moments_nothing_is_lost_or_doubled(life: Life, kills: int) -> None:
    chance = moments(kills, life.tell)
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        for number in range(kills):
            # Now and then in the midst of a start, else at any moment of several batches of each query.
            if number == 0 or chance.random() < 0.7:
                life.ensure_running()
            load.last(chance.uniform(1, 15))
            life.kill(chance.choice(VICTIMS))
            life.spawn()
        life.ensure_running()
        load.last(5)
    life.tell(f"{load.sent} messages sent; all there after {accounts.settled(life.deployment)} s")
    accounts.require_nothing_lost_or_doubled(life.deployment, life.tell)


def commits(life: Life, query: str) -> Path:
    return life.deployment.settings.checkpoint_dir / query / "commits"


def last_commit(life: Life, query: str) -> int:
    return max(int(file.name) for file in commits(life, query).iterdir() if file.name.isdigit())


@pytest.mark.parametrize(
    "query", ["all four sinks", *(pytest.param(each, marks=pytest.mark.long) for each in DEDUPLICATING)]
)
def test_killed_after_the_sink_and_before_the_commit_the_batch_comes_again_and_changes_nothing(
    life: Life, query: str
) -> None:
    """Spark cannot note that a batch is done, as something stands where its next notes would go."""
    queries = list(DEDUPLICATING) if query == "all four sinks" else [query]
    with Load(life.deployment, steady(life.deployment), RATE) as load:
        load.last(5)
        accounts.settled(life.deployment, sinks=(accounts.POSTGRES, accounts.INFLUXDB))
        blocked = {name: last_commit(life, name) for name in queries}
        for name, last in blocked.items():
            for number in range(last + 1, last + 4):
                (commits(life, name) / str(number)).mkdir(exist_ok=True)
        load.last(3)
    wanted = {sink: accounts.expected(life.deployment, sink) for sink in accounts.SINKS if sink != accounts.POINTS}
    life.deployment.wait_for(
        "the notes to fail", life.stream, lambda: all(life.deployment.queries()[name]["failures"] for name in queries)
    )
    life.kill()
    for name, last in blocked.items():
        before = [number for number in range(last + 1, last + 4) if not (commits(life, name) / str(number)).is_dir()]
        for number in range(last + 1, last + 4):
            shutil.rmtree(commits(life, name) / str(number), ignore_errors=True)
        assert len(before) < 3
        life.tell(f"{name}: batch {last + 1 + len(before)} is in the sink, and not in the checkpoint")
    life.ensure_running()
    life.tell(f"all there after {accounts.wait_until_there(life.deployment, wanted)} s")
    accounts.settled(life.deployment)
    accounts.require_nothing_lost_or_doubled(life.deployment, life.tell)
