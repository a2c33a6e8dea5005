"""What the detectors must find in the readings of a simulated fleet, and where their alarms arrive."""

from collections import Counter
from collections.abc import Collection

from edge.block import Block
from lakehouse.postgres import connect
from tests.faults.stream import accounts
from tests.faults.stream.accounts import told
from tests.integration.stream.deployment import Deployment

QUERIES = ("detect", "postgres")


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


def require_raised(deployment: Deployment, due: Collection[str]) -> None:
    """Each alarm that is due, and no other, is in the topic, and once in PostgreSQL."""
    found = Counter(accounts.of_topic(deployment))
    told(f"{len(due)} alarms due, {len(found)} raised, {found.total() - len(found)} of them sent again")
    assert found.keys() == set(due)
    assert Counter(in_postgres(deployment, due)) == Counter(list(due))
