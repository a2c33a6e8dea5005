"""The query `detect` on Spark: the same alarms as without it, over batches, restarts and another number of shards."""

import json
import shutil
from datetime import datetime, timedelta

import numpy as np
import pytest

from contracts import identity
from contracts.detectors import learned
from detection import standard
from detection.detectors.missing import Missing
from detection.fleet import Fleet
from sensorlake import settings as settings_module
from sensorlake.errors import CheckpointError
from streaming import checkpoints
from streaming.detect import query, reshard, seeds, step
from streaming.detect.processor import Detect
from tests.detect_rows import WEEK, frame
from tests.spark.messages import KAFKA, RECEIVED, message, single

MADE_FOR = {"kafka": "here", "source": "raw", "target": "anomaly"}
DEVICES, SECONDS = 6, 90
SPIKES = {(0, 70), (3, 75), (5, 89)}


def body(device, second):
    value = 20 + (device * 37 + second * 61) % 11 / 10 + (400 if (device, second) in SPIKES else 0)
    return single(value=value, seconds=second, device_id=f"d{device}", sensor_id=f"d{device}-t")


def bodies(first, end):
    return [body(device, second) for second in range(first, end) for device in range(DEVICES)]


class Source:
    """A folder that stands for the topic: each call of `send` is one batch."""

    def __init__(self, spark, folder):
        self.spark, self.folder, self.sent = spark, folder, 0

    def send(self, values):
        received = RECEIVED + timedelta(seconds=200)
        rows = [message(value, self.sent + number, received=received) for number, value in enumerate(values)]
        self.sent += len(rows)
        self.spark.createDataFrame(rows, KAFKA).coalesce(1).write.mode("append").parquet(str(self.folder))

    def read(self):
        return self.spark.readStream.schema(KAFKA).option("maxFilesPerTrigger", 1).parquet(str(self.folder))


@pytest.fixture
def settings(tmp_path):
    return settings_module.load(tmp_path / "data")


def run(spark, source, settings):
    """The query until all that was sent is judged; the anomalies that it wrote."""
    path = seeds.checkpoint(settings, MADE_FOR)
    out = settings.data_dir / "out"
    numbers = query.shards(spark, settings.detect_shards)
    rows = query.alarms(source.read(), numbers, 65_536, Detect(seeds.folder(path), WEEK))
    with query.partitions(spark, settings.detect_shards):
        writer = rows.writeStream.format("parquet").option("path", str(out)).option("checkpointLocation", str(path))
        writer.trigger(availableNow=True).start().awaitTermination(120)
    return {
        anomaly["anomaly_id"]: anomaly
        for anomaly in (json.loads(row.value) for row in spark.read.schema("value BINARY").parquet(str(out)).collect())
    }


def offline(values):
    rows = [
        (value["device_id"], value["sensor_id"], value["metric"], round(second * 1e6), value["value"])
        for value, second in ((value, seconds_of(value)) for value in values)
    ]
    fleet = Fleet(standard.ensemble())
    taken = step.of([frame(rows)]).readings
    verdicts = fleet.judge(taken)
    began = verdicts.where(verdicts.began.astype(bool))
    return {
        identity.anomaly_id(taken.devices[device], "temperature", at, learned(fleet.ensemble.names[detector]))
        for device, at, detector in zip(
            began.device.tolist(), began.time.tolist(), began.detector.tolist(), strict=True
        )
    }


def seconds_of(value):
    return datetime.fromisoformat(value["timestamp"]).timestamp()


def test_shards_have_partitions_of_their_own(spark):
    for count in (1, 2, 3, 5):
        numbers = query.shards(spark, count)
        rows = spark.createDataFrame([(number,) for number in numbers], "shard INT").repartition(count, "shard")
        assert len(set(numbers)) == count
        assert [len(part) for part in rows.rdd.glom().collect()] == [1] * count


def test_what_is_no_valid_reading_is_left_to_the_others(spark, tmp_path):
    source = Source(spark, tmp_path / "in")
    values = [single(1.5), b"broken", single(seconds=7 * 86_400), {**single(), "value": None}]
    source.send(values)
    taken, _ = unpacked(spark, tmp_path / "in")
    assert (taken.readings.devices, taken.sensors, taken.readings.metrics, taken.readings.value.tolist()) == (
        ["pump-1"],
        ["pump-1-t"],
        ["temperature"],
        [1.5],
    )


def test_a_device_goes_to_the_shard_that_a_change_of_shards_puts_it_in(spark, tmp_path):
    source = Source(spark, tmp_path / "in")
    devices = [*(f"d{number}" for number in range(40)), 'pümp "1"\n', "水-\U0001f6b0", "a\\u0000"]
    source.send([single(device_id=device, sensor_id="s", value=number) for number, device in enumerate(devices)])
    taken, shards = unpacked(spark, tmp_path / "in", count=3)
    readings = taken.readings
    assert [readings.devices[number] for number in readings.device[np.argsort(readings.value)]] == devices
    assert [shards[device] for device in devices] == query.places(spark, devices, 3)


def test_a_shard_of_which_no_device_sends_is_told_silent_while_others_send(spark, tmp_path, settings):
    source = Source(spark, tmp_path / "in")
    source.send(bodies(0, SECONDS))
    places = query.places(spark, [f"d{device}" for device in range(DEVICES)], settings.detect_shards)
    assert len(set(places)) == 2
    alone = [device for device in range(DEVICES) if places[device] == places[0]]
    # Batch by batch, as the silence of a batch is judged when that is over.
    for second in range(SECONDS, SECONDS + 60, 20):
        source.send([body(device, at) for at in range(second, second + 20) for device in alone])
    found = run(spark, source, settings).values()
    silent = {one["device_id"] for one in found if one["detector"] == learned(Missing.name)}
    assert silent == {f"d{device}" for device in range(DEVICES) if device not in alone}


def unpacked(spark, folder, count=2):
    """What the messages in the folder are to the processor, and the place of each device's shard."""
    numbers = query.shards(spark, count)
    rows = query.packed(spark.read.schema(KAFKA).parquet(str(folder)), numbers, 65_536).toPandas()
    places = {}
    for number, part in rows.groupby("shard"):
        places |= dict.fromkeys(step.of([part]).readings.devices, numbers.index(number))
    return step.of([rows]), places


def test_batches_restarts_and_another_number_of_shards_change_no_alarm(spark, tmp_path, settings):
    source = Source(spark, tmp_path / "in")
    whole = bodies(0, SECONDS)
    source.send(whole[:100])
    source.send(whole[60:300])  # the first forty come again
    run(spark, source, settings)
    source.send(whole[300:430])
    found = run(spark, source, settings)  # from the checkpoint
    assert found.keys() < offline(whole)

    other = settings.model_copy(update={"detect_shards": 3})
    with pytest.raises(CheckpointError, match=r"has 2 shards, and SENSORLAKE_DETECT_SHARDS is 3.*sensorlake reshard"):
        seeds.checkpoint(other, MADE_FOR)
    done = reshard.reshard(spark, other)
    assert (done.devices, done.shards) == (DEVICES, 3)
    assert json.loads(checkpoints.made_for(settings.checkpoint_dir, "detect")[seeds.SHARDS]) == 3
    # Spark's source of files notes what it has read in the checkpoint; Kafka's goes on from the offsets in the seeds.
    shutil.rmtree(tmp_path / "in")
    shutil.rmtree(settings.data_dir / "out")
    source.send(whole[400:500])
    source.send(whole[500:])
    found |= run(spark, source, other)
    assert found.keys() == offline(whole)
    assert {(one["device_id"], one["sensor_id"]) for one in found.values()} >= {("d0", "d0-t"), ("d3", "d3-t")}
    reasons = {one["detector"] for one in found.values()}
    assert all(reason.startswith("learned_") for reason in reasons)


def test_a_change_of_shards_that_was_cut_off_is_finished_by_the_next(spark, tmp_path, settings):
    source = Source(spark, tmp_path / "in")
    source.send(bodies(0, 20))
    run(spark, source, settings)
    other = settings.model_copy(update={"detect_shards": 1})
    root = settings.checkpoint_dir
    reshard._write(spark, root / "detect", root / seeds.UNFINISHED, {**MADE_FOR, seeds.SHARDS: "1"})
    for current in (settings, other):
        with pytest.raises(CheckpointError, match="was cut off"):
            seeds.checkpoint(current, MADE_FOR)
    assert reshard.reshard(spark, other).shards == 1
    assert seeds.checkpoint(other, MADE_FOR) == root / "detect"
    with pytest.raises(CheckpointError, match="has 1 shards already"):
        reshard.reshard(spark, other)
