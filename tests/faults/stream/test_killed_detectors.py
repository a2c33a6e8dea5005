"""The detectors are killed again and again while readings come in: they raise the alarms that they would have raised
without, as what they know of each device is of one piece with how far they have read."""

import time
from itertools import pairwise
from pathlib import Path

import pytest

from benchmarks.detect import expected
from benchmarks.observers.progress import committed
from edge.simulator import Simulator
from sensorlake.settings import Settings
from tests.faults.stream import alarms
from tests.faults.stream.accounts import told
from tests.faults.stream.life import kill_job, moments
from tests.integration.stream.deployment import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.long]

SECONDS = 400
KILLS = 4


def test_the_detectors_forget_and_doubt_nothing(own_servers: Settings, tmp_path: Path) -> None:
    chance = moments(KILLS, told)
    deployment = Deployment(own_servers, tmp_path)
    run = Simulator(20, 0.5, 11, int((time.time() - 2 * SECONDS) * 1e6), seconds=SECONDS)
    due, blocks = expected(run), list(run.blocks(250))
    assert due
    parts = KILLS + 1
    borders = [len(blocks) * number // parts for number in range(parts + 1)]
    checkpoint, stream, done = deployment.settings.checkpoint_dir / "detect", None, None
    try:
        for number, (first, end) in enumerate(pairwise(borders)):
            stream = deployment.start("--queries", ",".join(alarms.QUERIES))
            deployment.wait_for("the detectors", stream, lambda: deployment.queries().keys() >= set(alarms.QUERIES))
            middle = (first + end) // 2
            alarms.send(deployment, blocks[first:middle])
            if number < KILLS:
                # It has to go on from something: a batch that this life has noted as done.
                before = done
                deployment.wait_for(
                    "a batch", stream, lambda before=before: committed(checkpoint) not in (None, before)
                )
                done = committed(checkpoint)
                time.sleep(chance.uniform(0, 3))  # somewhere in the batches that follow
                alarms.send(deployment, blocks[middle:end])
                kill_job(stream)
                told("kill -9 of the whole job")
                (deployment.settings.data_dir / "run" / "queries.json").unlink(missing_ok=True)
            else:
                alarms.send(deployment, blocks[middle:end])
        deployment.wait_for("all alarms", stream, lambda: due.keys() <= set(alarms.in_postgres(deployment, due)))
        alarms.require_raised(deployment, due)
    finally:
        if stream is not None and stream.poll() is None:
            kill_job(stream)
