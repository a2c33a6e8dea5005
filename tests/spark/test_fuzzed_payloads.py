"""A hundred thousand messages, most of them damaged, through what decodes the stream: none is lost, and each verdict
and value is the one that a second reading of docs/wire-format.md comes to."""

from collections import Counter, defaultdict

import pyarrow as pa
import pytest
from pyarrow import parquet

from streaming import validation
from streaming.detect import query, step
from tests import payload_corpus, wire_reference
from tests.payload_corpus import LARGEST, MICROS
from tests.wire_reference import REASONS, Reading, Rejected

COUNT = 100_000
SEED = 6
FILES = 4


@pytest.fixture(scope="module")
def messages():
    return payload_corpus.messages(COUNT, SEED)


@pytest.fixture(scope="module")
def raw(spark, messages, tmp_path_factory):
    """The messages as Kafka hands them out; the offset is their number."""
    folder = tmp_path_factory.mktemp("messages")
    table = pa.table(
        {
            "topic": ["raw"] * COUNT,
            "partition": pa.array([0] * COUNT, pa.int32()),
            "offset": pa.array(range(COUNT), pa.int64()),
            "timestamp": pa.array([MICROS] * COUNT, pa.timestamp("us", "UTC")),
            "key": pa.array([b"k"] * COUNT, pa.binary()),
            "value": pa.array(messages, pa.binary()),
            "headers": pa.nulls(COUNT, pa.list_(pa.struct({"key": pa.string(), "value": pa.binary()}))),
        }
    )
    for place in range(FILES):
        parquet.write_table(table.slice(place * COUNT // FILES, COUNT // FILES), folder / f"{place}.parquet")
    return spark.read.parquet(str(folder))


@pytest.fixture(scope="module")
def expected(messages):
    """For each message its readings in order, or the reason why there are none."""
    found = []
    with wire_reference.deep_recursion():
        for message in messages:
            try:
                found.append(sorted(wire_reference.judge(message, MICROS, LARGEST)))
            except Rejected as reason:
                found.append(str(reason))
    return found


@pytest.fixture(scope="module")
def rows(raw):
    """The rows of the lake, by message."""
    judged = validation.readings_and_dead_letters(validation.judge(raw, LARGEST))
    columns = ("dq_reason", "device_id", "sensor_id", "metric", "event_time", "value", "unit", "location", "payload")
    found = defaultdict(list)
    table = judged.select("source_offset", *columns).toArrow()
    table = table.set_column(5, "event_time", table["event_time"].cast(pa.timestamp("us", "UTC")).cast(pa.int64()))
    for offset, *row in zip(*(column.to_pylist() for column in table.columns), strict=True):
        found[offset].append(row)
    return found


def verdict(rows_of_one):
    reasons = [row[0] for row in rows_of_one if row[0] is not None]
    if reasons:
        return reasons[0] if len(rows_of_one) == 1 else reasons
    return sorted(Reading(*row[1:6], row[6] or "", row[7] or "") for row in rows_of_one)


def test_each_message_is_valid_or_one_dead_letter_with_a_documented_reason(rows):
    verdicts = [verdict(rows[offset]) for offset in range(COUNT)]
    lost = [offset for offset, found in enumerate(verdicts) if not found]
    assert not lost
    assert len(rows) == COUNT
    counts = Counter(found.partition(":")[0] if isinstance(found, str) else "valid" for found in verdicts)
    assert counts.keys() == REASONS | {"valid"}  # all of them are met with
    assert sum(counts.values()) == COUNT
    assert counts["valid"] > COUNT // 10


def test_a_dead_letter_has_the_bytes_that_came_and_a_reading_has_none(messages, rows):
    for offset, message in enumerate(messages):
        for row in rows[offset]:
            assert row[-1] == (message if row[0] is not None else None), message


def test_every_verdict_and_value_is_that_of_the_documented_rules(messages, rows, expected):
    differences = [
        f"{message[:600] if message else message!r}\n  decoded:   {found!r:.600}\n  as documented: {wanted!r:.600}"
        for offset, (message, wanted) in enumerate(zip(messages, expected, strict=True))
        if (found := verdict(rows[offset])) != wanted
    ]
    assert not differences, f"{len(differences)} of {COUNT} (seed {SEED}):\n" + "\n".join(differences[:20])


def test_what_the_detectors_get_is_what_the_lake_gets(spark, raw, expected):
    packed = query.packed(raw, query.shards(spark, 2), LARGEST).toPandas()
    taken = step.of([packed])
    readings = taken.readings
    found = Counter(
        (readings.devices[device], taken.sensors[sensor], readings.metrics[metric], time, value)
        for device, sensor, metric, time, value in zip(
            *(readings.device.tolist(), taken.sensor.tolist(), readings.metric.tolist()),
            *(readings.time.tolist(), readings.value.tolist()),
            strict=True,
        )
    )
    wanted = Counter(
        (each.device, each.sensor, each.metric, each.micros, each.value)
        for readings in expected
        if not isinstance(readings, str)
        for each in readings
    )
    assert not (found - wanted), list((found - wanted).items())[:20]
    assert not (wanted - found), list((wanted - found).items())[:20]
