"""The release before runs on real servers under load and is stopped, in order or by `kill -9` of everything; today's
version is started on its servers, tables, topics and checkpoints, while readings come in: every query goes on where it
was, every reading and anomaly is there once, and what cannot go on says so and names the command."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration.watching.query_health import WRITES
from tests.faults.stream.load import Load
from tests.faults.upgrade.previous import VERSION, Previous
from tests.faults.upgrade.upgrade import FLEET, LEAVING, Upgrade, ours
from tests.integration.stream.deployment import COMMAND

pytestmark = [pytest.mark.integration, pytest.mark.long]

RATE = 1000
# So many steps that detect has to make a snapshot, or 1 MB of readings a shard.
SECONDS = 120


@pytest.fixture
def upgrade(previous: Previous, tmp_path: Path) -> Iterator[Upgrade]:
    print()  # noqa: T201  a line of its own for the account that follows
    made = Upgrade(previous, tmp_path)
    try:
        made.begin()
        yield made
    finally:
        made.end()


@pytest.mark.parametrize("how", ["in order", "kill -9", "kill -9, and the checkpoint of the lake is lost"])
def test_every_query_goes_on_where_the_release_before_stopped(upgrade: Upgrade, how: str) -> None:
    deployment = upgrade.deployment
    with Load(deployment, upgrade.fleet(), RATE) as load:
        load.last(SECONDS)
        upgrade.left.set()
        before = upgrade.progress()
        assert upgrade.silent() == set(), "what detect has learned would not show"
        if how == "in order":
            upgrade.stop_in_order()
        else:
            upgrade.kill_everything()
        upgrade.tell(f"{load.sent} messages so far; batches: {before}")
        upgrade.bring_servers_up()
        if "is lost" in how:
            (upgrade.checkpoints / "lake").rename(upgrade.checkpoints.parent / "lost")
            lake_is_refused_and_repaired(upgrade)
        upgrade.start()
        upgrade.wait_until_all_run()
        upgrade.tell("today's version: all queries run")
        load.last(20)
        leaving = {upgrade.device(number) for number in range(FLEET - LEAVING, FLEET)}
        deployment.wait_for("detect to miss who has left", upgrade.stream, lambda: leaving <= upgrade.silent())
        upgrade.tell(f"detect knows {len(leaving)} devices that sent to version {VERSION} alone, and misses them")
    upgrade.require_balance()
    after = upgrade.progress()
    for name, (checkpoint, batch) in before.items():
        anew = name == "lake" and "is lost" in how
        assert (after[name][0] == checkpoint) is not anew, name
        assert after[name][1] > batch or anew, name
    said = (deployment.settings.data_dir / "stream.log").read_text("utf-8", errors="replace")
    assert "detectors of another version begin anew" in said
    the_release_before_is_refused(upgrade)


def lake_is_refused_and_repaired(upgrade: Upgrade) -> None:
    deployment = upgrade.deployment
    refused = deployment.run("--queries", "lake")
    assert refused.returncode == 1
    assert "hold readings already" in refused.stderr
    assert "`sensorlake checkpoints restart lake`" in " ".join(refused.stderr.split())
    upgrade.tell(refused.stderr.strip().splitlines()[-1])
    done = subprocess.run(
        [*COMMAND, "checkpoints", "restart", "lake"],
        env=deployment.environment(),
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *told, figures = done.stdout.splitlines()
    upgrade.tell("; ".join(told))
    assert json.loads(figures)["lost_messages"] == 0


def the_release_before_is_refused(upgrade: Upgrade) -> None:
    """There is no way back to it."""
    upgrade.stop_stream()
    done = upgrade.previous.try_to_run("stream", **ours(upgrade.deployment.environment()))
    assert done.returncode == 1
    assert "a later version made it. Use that version" in " ".join(done.stderr.split())
    upgrade.tell(f"version {VERSION} again: {done.stderr.strip().splitlines()[-1]}")
    assert upgrade.progress().keys() == WRITES.keys()
