"""The tests can fail: sinks that lack what makes them safe are caught by the comparison that passes the sound ones.

Each writes a batch, is cut off before the batch is noted as done, gets it again, and gets the next.
"""

import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pg8000.native
import pyarrow as pa
import pytest

from benchmarks.comparison import Comparison
from contracts import identity
from lakehouse import creation, registry
from lakehouse.appender import Appender
from lakehouse.lake import Lake
from lakehouse.tables import ANOMALIES, READINGS, Table
from sensorlake.settings import Settings
from streaming.anomalies import SCHEMA
from streaming.sinks.delta import DeltaSink
from streaming.sinks.influxdb import InfluxSink, anomaly_lines
from streaming.sinks.postgres import PostgresSink
from tests.faults.stream import accounts
from tests.integration.stream.deployment import Deployment

pytestmark = pytest.mark.integration

Write = Callable[[pa.Table, int], None]
SOUND = (0, 0, 0)


@pytest.fixture
def deployment(own_servers: Settings, tmp_path: Path) -> Deployment:
    registry.migrate(own_servers)
    return Deployment(own_servers, tmp_path)


def batch(deployment: Deployment, first: int, count: int = 20) -> pa.Table:
    """Anomalies of which every id is known, and noted as sent."""
    start = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=5)
    rows = []
    for number in range(first, first + count):
        device, at = f"{deployment.name}-{number}", start + timedelta(milliseconds=number)
        name = identity.anomaly_id(device, "temperature", round(at.timestamp() * 1e6), "hard_limit")
        deployment.anomalies.add(name)
        rows.append(
            {"anomaly_id": name, "device_id": device, "sensor_id": device, "metric": "temperature", "value": 500.0}
            | {"event_time": at, "event_date": at.date(), "detector": "hard_limit", "severity": "critical"}
            | {"score": 2.0, "threshold": 1.0, "is_anomaly": True, "detected_at": at, "features": []}
        )
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def lost_doubled_unexpected(deployment: Deployment, sink: str, write: Write) -> tuple[int, int, int]:
    """What the comparison says after a batch, the same again, and the next; one that fails holds up those behind."""
    first, second = batch(deployment, 0), batch(deployment, 20)
    try:
        for rows, number in ((first, 0), (first, 0), (second, 1)):
            write(rows, number)
    except (pg8000.native.DatabaseError, OSError):
        pass  # it would fail at every try
    found: Comparison = accounts.balance(deployment.anomalies, accounts.FOUND[sink](deployment))
    return found.lost, found.doubled, found.unexpected


def with_random_ids(rows: pa.Table) -> pa.Table:
    names = pa.array([uuid.uuid4().hex for _ in range(rows.num_rows)])
    return rows.set_column(rows.schema.get_field_index("anomaly_id"), "anomaly_id", names)


@pytest.fixture
def postgres(deployment: Deployment) -> Iterator[PostgresSink]:
    sink = PostgresSink(deployment.settings)
    yield sink
    sink._drop()


def test_postgres(deployment: Deployment, postgres: PostgresSink) -> None:
    found = lost_doubled_unexpected(deployment, accounts.POSTGRES, lambda rows, _: postgres.write(rows))
    assert found == SOUND


def test_postgres_without_on_conflict(
    deployment: Deployment, postgres: PostgresSink, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = pg8000.native.Connection.run

    def without(self: pg8000.native.Connection, sql: str, **given: object) -> object:
        return run(self, sql.partition("ON CONFLICT")[0], **given)

    monkeypatch.setattr(pg8000.native.Connection, "run", without)
    found = lost_doubled_unexpected(deployment, accounts.POSTGRES, lambda rows, _: postgres.write(rows))
    assert found == (20, 0, 0)


def test_postgres_with_random_ids(deployment: Deployment, postgres: PostgresSink) -> None:
    found = lost_doubled_unexpected(
        deployment, accounts.POSTGRES, lambda rows, _: postgres.write(with_random_ids(rows))
    )
    assert found == (40, 0, 60)


def test_influxdb(deployment: Deployment) -> None:
    sink = InfluxSink(deployment.settings)
    found = lost_doubled_unexpected(deployment, accounts.INFLUXDB, lambda rows, _: sink.write(anomaly_lines(rows)))
    assert found == SOUND
    sink._client.close()


def test_influxdb_with_the_time_of_writing(deployment: Deployment) -> None:
    sink, written = InfluxSink(deployment.settings), iter(range(10))

    def write(rows: pa.Table, _: int) -> None:
        when = datetime.now(UTC) + timedelta(milliseconds=next(written))
        times = pa.array([when] * rows.num_rows, pa.timestamp("us", "UTC"))
        sink.write(anomaly_lines(rows.set_column(rows.schema.get_field_index("event_time"), "event_time", times)))

    assert lost_doubled_unexpected(deployment, accounts.INFLUXDB, write) == (0, 20, 0)
    sink._client.close()


@pytest.fixture
def lake(deployment: Deployment) -> Lake:
    found = Lake.of(deployment.settings)
    for table in (ANOMALIES, READINGS):
        creation.ensure(found, table)
    return found


def test_delta(deployment: Deployment, lake: Lake) -> None:
    assert lost_doubled_unexpected(deployment, accounts.DELTA, DeltaSink(lake, "checkpoint").write) == SOUND


def test_delta_without_the_batch_number_still_knows_the_ids(
    deployment: Deployment, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Appender, "_last_batch", lambda _: -1)
    assert lost_doubled_unexpected(deployment, accounts.DELTA, DeltaSink(lake, "checkpoint").write) == SOUND


def test_delta_without_the_batch_number_and_without_the_known_ids(
    deployment: Deployment, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Appender, "_last_batch", lambda _: -1)
    monkeypatch.setattr(DeltaSink, "_known", lambda *_: pa.array([], pa.string()))
    assert lost_doubled_unexpected(deployment, accounts.DELTA, DeltaSink(lake, "checkpoint").write) == (0, 20, 0)


def append_to(lake: Lake, table: Table) -> Write:
    """What the lake query does with its readings, here with rows of anomalies."""
    return Appender(lake, table, "checkpoint").append


def test_the_tables_of_the_lake(deployment: Deployment, lake: Lake) -> None:
    assert lost_doubled_unexpected(deployment, accounts.DELTA, append_to(lake, ANOMALIES)) == SOUND


def test_the_tables_of_the_lake_without_the_batch_number(
    deployment: Deployment, lake: Lake, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Appender, "_last_batch", lambda _: -1)
    assert lost_doubled_unexpected(deployment, accounts.DELTA, append_to(lake, ANOMALIES)) == (0, 20, 0)


@pytest.mark.parametrize("sink", [accounts.POSTGRES, accounts.DELTA])
def test_a_batch_that_is_noted_as_done_before_it_is_written(
    deployment: Deployment, lake: Lake, postgres: PostgresSink, sink: str
) -> None:
    """Cut off in between, it never comes again."""
    delta = DeltaSink(lake, "checkpoint")
    writes = {accounts.POSTGRES: lambda rows, _: postgres.write(rows), accounts.DELTA: delta.write}
    done: set[int] = set()

    def write(rows: pa.Table, number: int) -> None:
        if number in done:
            return
        done.add(number)
        if number != 0:  # the first is cut off here
            writes[sink](rows, number)

    assert lost_doubled_unexpected(deployment, sink, write) == (20, 0, 0)
