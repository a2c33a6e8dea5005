"""The lake query: whatever is repeated, cut off or restarted, each reading is there once and each window whole."""

import json
import random
from collections import Counter
from datetime import timedelta

import numpy as np
import pytest
from delta import DeltaTable
from pyspark.sql import functions as F

from lakehouse import appender, creation
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS, FEATURES, READINGS
from streaming.lake import LakeWriter
from tests.spark.messages import RECEIVED, kafka, message, single

SECOND = 1_000_000


def writer(spark, lake, application="checkpoint-1", **changes):
    for table in (READINGS, DEAD_LETTERS, FEATURES):
        creation.ensure(Lake(lake), table)
    fields = {"max_message_bytes": 4096, "lateness_micros": 30 * SECOND, "remember_micros": 300 * SECOND}
    return LakeWriter(Lake(lake), application, **(fields | changes))


def rows(spark, table, lake):
    return sorted(tuple(map(str, row)) for row in spark.read.format("delta").load(table.path(lake)).collect())


def contents(spark, lake):
    return {table.name: rows(spark, table, lake) for table in (READINGS, DEAD_LETTERS, FEATURES)}


def counts(spark, lake):
    """Sums of what the commits to `readings` say of their batches."""
    names = ("messages", "dead_letters", "duplicates", "valid")
    history = DeltaTable.forPath(spark, READINGS.path(lake)).history().where(F.col("userMetadata").isNotNull())
    total = Counter()
    for row in history.collect():
        note = json.loads(row.userMetadata)
        total.update({name: note[name] for name in names})
    return dict(total)


def reading(seconds, offset, value=1.0, *, late=0.5, partition=0, **changes):
    """A message about `seconds` after RECEIVED that arrived `late` seconds after that."""
    arrived = RECEIVED + timedelta(seconds=seconds + late)
    return message(single(value, seconds, **changes), offset, partition=partition, received=arrived)


@pytest.fixture
def lake(tmp_path):
    return str(tmp_path / "lake")


def test_every_message_is_counted_once(spark, lake):
    write = writer(spark, lake)
    twice = {"device_id": "many", "timestamp": RECEIVED.isoformat(), "t": 1, "p": 2}
    write(kafka(spark, [reading(0, 0), reading(0, 1), message(b"x", 2), message(None, 3), message(twice, 4)]), 0)
    write(kafka(spark, [reading(0, 5), message(twice, 6), reading(1, 7), message(b"x", 8)]), 1)
    assert counts(spark, lake) == {"messages": 9, "dead_letters": 3, "duplicates": 4, "valid": 4}
    kept = spark.read.format("delta").load(READINGS.path(lake)).collect()
    # The first of an id is the one that stays.
    assert sorted((row.metric, row.source_offset) for row in kept) == [
        ("p", 4),
        ("t", 4),
        ("temperature", 0),
        ("temperature", 7),
    ]
    letters = spark.read.format("delta").load(DEAD_LETTERS.path(lake)).collect()
    assert sorted((row.source_offset, row.dq_reason, row.payload) for row in letters) == [
        (2, "malformed", b"x"),
        (3, "malformed", None),
        (8, "malformed", b"x"),
    ]


def test_batches_of_nothing_or_of_dead_letters_only_are_batches(spark, lake):
    write = writer(spark, lake)
    write(kafka(spark, []), 0)
    write(kafka(spark, [message(b"x", 0), message(b"y", 1)]), 1)
    write(kafka(spark, [reading(0, 2)]), 2)
    assert counts(spark, lake) == {"messages": 3, "dead_letters": 2, "duplicates": 0, "valid": 1}


def test_a_message_with_a_metric_that_is_repeated_keeps_its_others(spark, lake):
    write = writer(spark, lake)
    both = {"device_id": "d", "timestamp": RECEIVED.isoformat()}
    write(kafka(spark, [message(both | {"t": 1}, 0)]), 0)
    write(kafka(spark, [message(both | {"t": 1, "p": 2}, 1)]), 1)
    kept = spark.read.format("delta").load(READINGS.path(lake)).collect()
    assert sorted((row.metric, row.source_offset) for row in kept) == [("p", 1), ("t", 0)]


def test_a_batch_that_comes_again_after_its_appends_adds_nothing(spark, lake):
    batch = [reading(second, second) for second in range(100)] + [message(b"x", 100)]
    writer(spark, lake)(kafka(spark, batch), 0)
    before = contents(spark, lake)
    assert before["features"]
    writer(spark, lake)(kafka(spark, batch), 0)
    assert contents(spark, lake) == before


def cut_off_after(write, appends):
    """Let `write` die before its append number `appends`."""
    done = []

    def dying(original):
        def append(*arguments):
            if len(done) == appends:
                raise OSError("killed")
            done.append(original(*arguments))

        return append

    for table in (write.dead_letters, write.readings, write.features):
        table.append = dying(table.append)


@pytest.mark.parametrize("appends", [1, 2])
def test_a_batch_that_was_cut_off_is_completed_by_the_next_try(spark, lake, tmp_path, appends):
    batches = [
        [reading(second, second) for second in range(40)],
        [*[reading(second, second + 10) for second in range(30, 100)], message(b"x", 110)],
    ]
    whole = str(tmp_path / "whole")
    undisturbed = writer(spark, whole)
    for batch_id, batch in enumerate(batches):
        undisturbed(kafka(spark, batch), batch_id)

    first = writer(spark, lake)
    first(kafka(spark, batches[0]), 0)
    cut_off_after(first, appends)
    with pytest.raises(OSError, match="killed"):
        first(kafka(spark, batches[1]), 1)
    writer(spark, lake)(kafka(spark, batches[1]), 1)
    assert contents(spark, lake) == contents(spark, whole)
    assert counts(spark, lake) == counts(spark, whole)


def stream_of_batches(size, seed):
    """Two devices on two partitions, some readings late, some repeated, the partitions in turn and together."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    batches, offsets, sent = [], [0, 0], []
    for number in range(size):
        batch = []
        for second in range(number * 60, number * 60 + 60, 2):
            partition = number % 2 if number % 3 else chance.randrange(2)
            if sent and chance.random() < 0.2:
                seconds, partition, value = chance.choice(sent[-60:])
            else:
                seconds, value = second - chance.choice([0, 0, 0, 20, 45]), chance.gauss(20, 3)
                sent.append((seconds, partition, value))
            arrived = RECEIVED + timedelta(seconds=second + 0.5)
            body = single(value, seconds, device_id=f"d{partition}")
            batch.append(message(body, offsets[partition], partition=partition, received=arrived))
            offsets[partition] += 1
        batches.append(batch)
    return batches


def test_a_restart_between_any_two_batches_changes_nothing(spark, lake, tmp_path):
    batches, whole = stream_of_batches(4, seed=3), str(tmp_path / "whole")
    undisturbed = writer(spark, whole)
    for batch_id, batch in enumerate(batches):
        undisturbed(kafka(spark, batch), batch_id)
        writer(spark, lake)(kafka(spark, batch), batch_id)  # a new one for each batch
    expected, found = contents(spark, whole), contents(spark, lake)
    assert counts(spark, whole)["duplicates"] > 5
    assert found["readings"] == expected["readings"]
    assert [row[:6] for row in found["features"]] == [row[:6] for row in expected["features"]]
    ours, theirs = ([[float(figure) for figure in row[6:13]] for row in one["features"]] for one in (found, expected))
    np.testing.assert_allclose(ours, theirs, rtol=1e-9, atol=1e-9)
    assert counts(spark, lake) == counts(spark, whole)


def test_after_a_restart_repeats_from_a_partition_that_was_silent_are_known(spark, lake):
    writer(spark, lake)(kafka(spark, [reading(0, 0, partition=0), reading(0, 0, partition=1, device_id="b")]), 0)
    again = writer(spark, lake)
    again(kafka(spark, []), 1)
    again(kafka(spark, [reading(1, 1, partition=0)]), 2)
    again(kafka(spark, [reading(0, 1, late=2, partition=1, device_id="b")]), 3)
    assert counts(spark, lake)["duplicates"] == 1


def test_windows_left_open_before_a_silent_night_close_after_a_restart(spark, lake):
    writer(spark, lake)(kafka(spark, [reading(5, 0)]), 0)
    writer(spark, lake)(kafka(spark, [reading(9 * 3600, 1)]), 1)
    kinds = Counter(row[0] for row in rows(spark, FEATURES, lake))
    assert kinds == {"sliding_60s": 6, "tumbling_1m": 1, "tumbling_5m": 1}


def test_a_device_with_a_fast_clock_does_not_close_the_windows_of_others(spark, lake):
    write = writer(spark, lake)
    write(kafka(spark, [reading(5, 0), reading(290, 1, late=-284, device_id="fast")]), 0)
    write(kafka(spark, [reading(6, 2)]), 1)
    assert rows(spark, FEATURES, lake) == []
    write(kafka(spark, [reading(400, 3)]), 2)
    minute = [row for row in rows(spark, FEATURES, lake) if row[0] == "tumbling_1m" and row[3] == "pump-1"]
    assert [row[5] for row in minute] == ["2"]


def test_dead_letters_too_large_to_collect_are_stored_like_the_others(spark, lake):
    large, key = b"x" * 3000, b"k" * 3000
    batch = [message(large, 0), message(b"y", 1), message(b"z", 2, key=key), message(b"x" * 5000, 3), reading(0, 4)]
    for _ in range(2):
        writer(spark, lake)(kafka(spark, batch), 0)
    letters = spark.read.format("delta").load(DEAD_LETTERS.path(lake)).collect()
    assert sorted((row.source_offset, row.dq_reason, bytes(row.payload), bytes(row.key)) for row in letters) == [
        (0, "malformed", large, b"k"),
        (1, "malformed", b"y", b"k"),
        (2, "malformed", b"z", key),
        (3, "oversize", b"x" * 5000, b"k"),
    ]
    assert counts(spark, lake) == {"messages": 5, "dead_letters": 4, "duplicates": 0, "valid": 1}


def test_small_files_are_merged_and_no_row_changes(spark, lake, monkeypatch):
    monkeypatch.setattr(appender, "_COMPACT_AFTER", 3)
    write = writer(spark, lake)
    for batch_id in range(4):
        write(kafka(spark, [reading(batch_id, batch_id)]), batch_id)
    history = [row.operation for row in DeltaTable.forPath(spark, READINGS.path(lake)).history().collect()]
    assert history[:3] == ["WRITE", "OPTIMIZE", "WRITE"]
    assert len(DeltaTable.forPath(spark, READINGS.path(lake)).toDF().inputFiles()) == 2
    assert [row[11] for row in rows(spark, READINGS, lake)] == ["2026-11-03"] * 4
    assert counts(spark, lake)["valid"] == 4


def test_a_new_checkpoint_is_not_taken_for_the_old_one(spark, lake):
    # Its batches count from 0 again: Delta would skip them all as known.
    writer(spark, lake, "checkpoint-1")(kafka(spark, [reading(0, 0)]), 5)
    writer(spark, lake, "checkpoint-2")(kafka(spark, [reading(1, 1)]), 0)
    assert counts(spark, lake)["valid"] == 2
    assert len(rows(spark, READINGS, lake)) == 2


def test_values_at_the_edge_of_a_double_pass_through_every_table(spark, lake):
    write = writer(spark, lake)
    write(kafka(spark, [reading(0, 0, 1.7e308), reading(15, 1, -1.7e308), reading(16, 2, 1.7e308)]), 0)
    write(kafka(spark, [reading(400, 3)]), 1)
    (minute,) = [row for row in rows(spark, FEATURES, lake) if row[0] == "tumbling_1m"]
    assert minute[5] == "3"
    assert len(rows(spark, READINGS, lake)) == 4


def test_features_are_those_of_the_raw_readings(spark, lake):
    write = writer(spark, lake, lateness_micros=200 * SECOND)  # all of them arrive before any window closes
    chance = random.Random(8)  # noqa: S311 - not a secret
    values = [(second / 2, chance.gauss(1e6, 0.01)) for second in range(200)]
    for batch_id in range(2):
        part = list(enumerate(values))[batch_id::2]  # each batch has readings from all over the time
        write(kafka(spark, [reading(second, number, value) for number, (second, value) in part]), batch_id)
    assert rows(spark, FEATURES, lake) == []
    write(kafka(spark, [reading(900, 900)]), 2)
    (row,) = (
        spark.read.format("delta")
        .load(FEATURES.path(lake))
        .where(f"window_kind = 'tumbling_1m' and window_start = timestamp'{RECEIVED:%Y-%m-%d %H:%M:%S}'")
        .collect()
    )
    raw = np.array([value for second, value in values if second < 60])
    assert row["count"] == 120
    assert row["mean"] == pytest.approx(raw.mean(), rel=1e-12)
    assert row["stddev"] == pytest.approx(raw.std(), rel=1e-4)
    assert (row["min"], row["max"], row["delta"]) == (raw.min(), raw.max(), raw[-1] - raw[0])
    assert row["rate_of_change"] == pytest.approx((raw[-1] - raw[0]) / 59.5)


def test_a_lake_that_is_behind_takes_all_processors_and_stores_the_same(spark, lake, tmp_path):
    """A batch that took longer than until the next one is due would be followed by a longer one, and so on."""
    calm, behind = writer(spark, lake, every_seconds=3600.0), writer(spark, str(tmp_path / "other"), every_seconds=0.0)
    for batch_id in range(2):
        messages = [
            reading(10 * batch_id + number % 7, 20 * batch_id + number // 3, partition=number % 3)
            for number in range(30)
        ]
        for write in (calm, behind):
            write(kafka(spark, messages), batch_id)
    assert (calm.is_behind, behind.is_behind) == (False, True)
    assert contents(spark, lake) == contents(spark, str(tmp_path / "other"))
    assert counts(spark, lake)["duplicates"] > 0
