"""The disk is full that holds what the detectors know of each device: afterwards they raise the alarms that they would
have raised without."""

import time

import pytest

from benchmarks.detect import expected
from edge.simulator import Simulator
from sensorlake.settings import Settings
from tests.faults.disks import Disk
from tests.faults.stream import accounts, alarms
from tests.faults.stream.accounts import told
from tests.integration.stream.deployment import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.long]

SECONDS = 240
FAILURES = 3


def test_the_detectors_forget_and_doubt_nothing(own_servers: Settings, disk: Disk) -> None:
    deployment = Deployment(own_servers, disk.folder)
    run = Simulator(20, 0.5, 11, int((time.time() - 2 * SECONDS) * 1e6), seconds=SECONDS)
    due = expected(run)
    blocks = list(run.blocks(500))
    first, second = len(blocks) // 2, 3 * len(blocks) // 4
    early = {name for name, at in due.items() if at < blocks[first].due[0]}
    assert early
    assert early < due.keys()
    stream = deployment.start("--queries", ",".join(alarms.QUERIES))
    try:
        deployment.wait_for("the detectors", stream, lambda: deployment.queries().keys() >= set(alarms.QUERIES))
        alarms.send(deployment, blocks[:first])
        deployment.wait_for("the first alarms", stream, lambda: early <= set(accounts.of_topic(deployment)))
        with disk.full():
            alarms.send(deployment, blocks[first:second])
            deployment.wait_for(
                "detect to fail",
                stream,
                lambda: (
                    deployment.queries()["detect"]["failures"] >= FAILURES
                    and "disk full: that of the stream's checkpoints" in deployment.queries()["detect"]["last_error"]
                ),
            )
            told(f"status of detect: {deployment.queries()['detect']}")
        told("room again")
        alarms.send(deployment, blocks[second:])
        began = time.monotonic()
        deployment.wait_for("all alarms", stream, lambda: due.keys() <= set(alarms.in_postgres(deployment, due)))
        told(f"all in PostgreSQL {time.monotonic() - began:.1f} s later; failures: {deployment.queries()['detect']}")
        alarms.require_raised(deployment, due)
    finally:
        stream.kill()
        stream.wait(60)
