"""The disk is full that holds what the detectors know of each device: afterwards they raise the alarms that they would
have raised without."""

import time
from collections import Counter
from collections.abc import Collection

import pytest

from benchmarks.detect import expected
from edge.block import Block
from edge.simulator import Simulator
from lakehouse.postgres import connect
from sensorlake.settings import Settings
from tests.faults.disks import Disk
from tests.faults.stream import accounts
from tests.faults.stream.accounts import told
from tests.integration.stream.deployment import Deployment

pytestmark = [pytest.mark.integration, pytest.mark.long]

SECONDS = 240
QUERIES = ("detect", "postgres")
FAILURES = 3


def send(deployment: Deployment, blocks: Collection[Block]) -> None:
    messages = [pair for block in blocks for pair in zip(block.keys, block.payloads, strict=True)]
    deployment.send((key, payload, []) for key, payload in messages)
    told(f"{len(messages)} messages sent")


def in_postgres(deployment: Deployment, wanted: Collection[str]) -> list[str]:
    connection = connect(deployment.settings, "faults")
    try:
        return [row[0] for row in connection.run("select anomaly_id from stream.anomalies") if row[0] in wanted]
    finally:
        connection.close()


def test_the_detectors_forget_and_doubt_nothing(own_servers: Settings, disk: Disk) -> None:
    deployment = Deployment(own_servers, disk.folder)
    run = Simulator(20, 0.5, 11, int((time.time() - 2 * SECONDS) * 1e6), seconds=SECONDS)
    due = expected(run)
    blocks = list(run.blocks(500))
    first, second = len(blocks) // 2, 3 * len(blocks) // 4
    early = {name for name, at in due.items() if at < blocks[first].due[0]}
    assert early
    assert early < due.keys()
    stream = deployment.start("--queries", ",".join(QUERIES))
    try:
        deployment.wait_for("the detectors", stream, lambda: deployment.queries().keys() >= set(QUERIES))
        send(deployment, blocks[:first])
        deployment.wait_for("the first alarms", stream, lambda: early <= set(accounts.of_topic(deployment)))
        with disk.full():
            send(deployment, blocks[first:second])
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
        send(deployment, blocks[second:])
        began = time.monotonic()
        deployment.wait_for("all alarms", stream, lambda: due.keys() <= set(in_postgres(deployment, due)))
        found = Counter(accounts.of_topic(deployment))
        told(
            f"{len(due)} alarms due, {len(found)} raised, {found.total() - len(found)} of them sent again, all in "
            f"PostgreSQL once {time.monotonic() - began:.1f} s later; failures: {deployment.queries()['detect']}"
        )
        assert found.keys() == due.keys()
        assert Counter(in_postgres(deployment, due)) == Counter(list(due))
    finally:
        stream.kill()
        stream.wait(60)
