"""Training sets out of the lake: what is learned from, what is judged by, and when new ones are asked for."""

from datetime import UTC, datetime, timedelta

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from contracts import identity
from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.models import registry
from lakehouse.models.store import ModelStore
from lakehouse.tables import ANOMALIES, MODEL_SCORES, READINGS
from orchestration.defs.models.sensors import models_need_training
from orchestration.resources.installation import Installation
from orchestration.training import drift, judging, promotion, sets, situation
from sensorlake import settings as settings_module
from sensorlake.errors import ModelError
from tests import small_forest
from tests.orchestration.rows import anomaly, micros, read, write

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
SECONDS = 1200
WANTED = sets.Wanted(source="lake", devices=50, minutes=20, least_devices=10, least_readings=600)


def fill(lake, devices=12, *, seconds=SECONDS, end=NOW, level=20.0):
    """One reading a second of each device, the last of them a second before `end`."""
    first = micros(end) - seconds * 1_000_000
    time = np.tile(first + np.arange(seconds) * 1_000_000, devices)
    names = np.repeat([f"pump-{number}" for number in range(devices)], seconds).tolist()
    count = len(time)
    columns = {
        "reading_id": [f"{place}" for place in range(count)],
        "device_id": names,
        "sensor_id": names,
        "metric": ["temperature"] * count,
        "event_time": pa.array(time).cast(pa.timestamp("us", "UTC")),
        "value": np.random.default_rng(4).normal(level, 0.5, count),
        "event_date": pa.array(time).cast(pa.timestamp("us")).cast(pa.date32()),
    }
    schema = arrow_schema(READINGS.record)
    rows = pa.table([columns.get(each.name, pa.nulls(count, each.type)) for each in schema], schema=schema)
    write_deltalake(creation.ensure(lake, READINGS), rows, mode="append")


def found_abnormal(lake, device, seconds_before_now):
    """An anomaly of one reading; its id."""
    at = NOW - timedelta(seconds=seconds_before_now)
    of = {
        "device_id": device,
        "sensor_id": device,
        "metric": "temperature",
        "event_time": at,
        "value": 20.0,
        "event_date": at.date(),
        "received_at": at,
    }
    write(lake, ANOMALIES, [anomaly(of)])
    return identity.anomaly_id(device, "temperature", micros(at), "z_score")


def labels(lake):
    """(part, kind) of readings by device and seconds before now."""
    data = sets.newest(lake).data
    ago = (micros(NOW) - data.readings.time) // 1_000_000
    names = np.array(data.readings.devices)[data.readings.device]
    keys = zip(names.tolist(), ago.tolist(), strict=True)
    return dict(zip(keys, zip(data.part.tolist(), data.kind.tolist(), strict=True), strict=True))


def test_devices_of_the_lake_give_normal_time_to_learn_from_and_later_time_with_faults(lake):
    fill(lake)
    made = sets.make(lake, WANTED, {}, NOW)
    assert (made["origin"], made["version"], made["devices"]) == ("lake", 1, 12)
    data = sets.newest(lake).data
    quiet, test = data.part != "test", data.part == "test"
    assert not data.abnormal[quiet].any()
    assert 0.01 < data.abnormal[test].mean() < 0.3
    assert data.readings.time[quiet].max() < data.readings.time[test].min()
    assert {"spike", "drift", "stuck", "noise"} == set(data.kind[data.abnormal])
    parts = {part: set(data.readings.device[data.part == part]) for part in ("train", "validation")}
    assert not parts["train"] & parts["validation"]


def test_too_few_devices_are_refused_or_replaced_by_a_simulated_fleet(lake):
    fill(lake, devices=9)
    with pytest.raises(ModelError, match="fewer than 10 devices"):
        sets.make(lake, WANTED, {}, NOW)
    auto = sets.Wanted(devices=20, minutes=20)
    assert sets.make(lake, auto, {}, NOW)["origin"] == "generated"


def test_what_was_found_abnormal_is_not_learned_from_unless_an_operator_said_it_was_none(lake):
    fill(lake)
    unjudged, refuted, confirmed, later = (
        found_abnormal(lake, device, ago)
        for device, ago in (("pump-0", 1000), ("pump-0", 999), ("pump-0", 998), ("pump-0", 100))
    )
    assert unjudged
    quiet = sets.Wanted(**{**vars(WANTED), "fault_share": 0.0})
    sets.make(lake, quiet, {refuted: False, confirmed: True, later: True}, NOW)
    found = labels(lake)
    assert ("pump-0", 1000) not in found
    assert found["pump-0", 999] == ("train", "normal")
    assert ("pump-0", 998) not in found
    assert found["pump-0", 100] == ("test", "reported")


def test_a_verdict_that_came_after_the_set_was_made_counts_in_the_judgement(lake):
    fill(lake)
    late = found_abnormal(lake, "pump-3", 50)
    quiet = sets.Wanted(**{**vars(WANTED), "fault_share": 0.0})
    sets.make(lake, quiet, {late: False}, NOW)
    data = sets.newest(lake).data
    assert not data.abnormal.any()
    assert int(judging.with_verdicts(lake, data, {late: True}).abnormal.sum()) == 1
    again = judging.with_verdicts(lake, judging.with_verdicts(lake, data, {late: True}), {late: False})
    assert not again.abnormal.any()


def test_drift_is_seen_where_readings_leave_the_range_of_the_training_set(lake):
    fill(lake)
    sets.make(lake, WANTED, {}, NOW)
    same = drift.of_inputs(lake, 5, NOW)
    assert same.largest[0] == "temperature"
    assert same.largest[1] < 0.05
    fill(lake, seconds=300, end=NOW + timedelta(minutes=30), level=20.4)
    moved = drift.of_inputs(lake, 20, NOW + timedelta(minutes=30))
    assert moved.largest[1] > 0.25
    assert drift.of_inputs(lake, 5, NOW + timedelta(days=2)).by_metric == {}


def test_training_is_asked_for_when_there_is_enough_when_inputs_drift_and_once_a_week(lake, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = settings_module.load()

    def reason(now):
        return situation.reason_to_train(lake, settings, now)

    assert reason(NOW)[0] is None
    fill(lake, devices=9)
    assert "only 9 devices" in reason(NOW)[1]
    # Table commits are stamped with the clock of the machine, so readings must be of now.
    now = datetime.now(UTC).replace(microsecond=0)
    fill(lake, devices=12, end=now)
    assert reason(now)[0] == "first"
    sets.make(lake, WANTED, {}, now)
    assert "the next may be" in reason(now)[1]
    kind, text = reason(now + timedelta(hours=7))
    assert kind == "untrained"
    assert "of training set 1 no model was entered" in text
    registry.challenge(lake, "isolation_forest", 1, by="a test", why="trained", trained_on=1)
    assert reason(now + timedelta(hours=7))[0] is None
    assert reason(now + timedelta(days=8))[0] == "age"


def test_models_of_a_simulated_fleet_are_trained_anew_when_devices_have_sent_enough(lake, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings, now = settings_module.load(), datetime.now(UTC).replace(microsecond=0)
    sets.make(lake, sets.Wanted(source="generated", devices=20, minutes=20), {}, now)
    later = now + timedelta(hours=7)
    fill(lake, devices=12, end=later)
    assert "the next may be" in situation.reason_to_train(lake, settings, now + timedelta(hours=5))[1]
    kind, text = situation.reason_to_train(lake, settings, later)
    assert kind == "first"
    assert "simulated fleet alone, and 12 devices sent 600 readings" in text


def test_the_sensor_says_what_it_waits_for_and_asks_once_a_day(lake, instance, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    def tick():
        with dg.build_sensor_context(instance=instance) as context:
            return models_need_training(context, installation=Installation(lake_root=lake.root))

    assert "fewer than the 6000" in tick().skip_message
    now = datetime.now(UTC).replace(microsecond=0)
    fill(lake, end=now)
    asked = tick()
    assert asked.run_key == f"first-{now:%Y-%m-%d}"
    assert "12 devices sent 600 readings" in asked.tags["sensorlake/cause"]
    sets.make(lake, WANTED, {}, now)
    assert "the next may be" in tick().skip_message


def judged(difference_low, against="chance", role="challenger", rate=None):
    return {
        "name": "isolation_forest",
        "version": 2,
        "role": role,
        "data": "live" if rate is not None else "held_back",
        "kind": "all",
        "against": against,
        "difference": 0.1,
        "difference_low": difference_low,
        "difference_high": 0.2,
        "rows": 100,
        "abnormal": 10,
        "training_set": 1,
        "false_alarm_rate": rate,
    }


@pytest.mark.parametrize(
    ("rows", "champion", "promoted", "said"),
    [
        ([judged(0.05)], None, True, "against chance"),
        ([judged(0.0)], None, False, "must exceed"),
        ([judged(float("-inf"))], None, False, "must exceed"),
        ([judged(0.05, "isolation_forest/1")], "isolation_forest/1", True, "average precision"),
        ([judged(0.05, "isolation_forest/1")], "isolation_forest/3", False, "judge it again"),
        ([judged(0.05), judged(0, rate=0.3)], None, False, "30.0% of live rows"),
        ([judged(0.05), judged(0, rate=0.3), judged(0, role="champion", rate=0.2)], None, True, "against"),
        ([], None, False, "no challenger"),
    ],
)
def test_a_challenger_is_promoted_where_its_figures_support_it(rows, champion, promoted, said):
    decision = promotion.decide(rows, champion, promotion.Rules())
    assert decision.promote is promoted
    assert said in decision.why


def test_without_any_model_nothing_is_judged(lake):
    assert registry.standings(lake) == []
    assert judging.judge(lake, None, judging.Extent(), {}, NOW) == []


def test_a_challenger_in_shadow_scores_the_rows_of_the_champion_held_back_and_live(lake, tmp_path):
    fill(lake)
    store = ModelStore.in_folder(tmp_path / "models", "of this test")
    sets.make(lake, WANTED, {}, NOW)
    small_forest.publish(store, lake, tmp_path / "one")
    small_forest.publish(store, lake, tmp_path / "other", seed=1, role=registry.CHALLENGER)
    confirmed = found_abnormal(lake, "pump-3", 50)
    extent = judging.Extent(rounds=20, live_minutes=20)
    judging.write(lake, judging.judge(lake, store, extent, {confirmed: True}, NOW), extent, NOW)
    rows = {(row["data"], row["role"]): row for row in read(lake, MODEL_SCORES) if row["kind"] == "all"}
    assert rows.keys() == {(data, role) for data in ("held_back", "live") for role in ("champion", "challenger")}
    for data in ("held_back", "live"):
        one, other = rows[data, "champion"], rows[data, "challenger"]
        assert (one["version"], other["version"]) == (1, 2)
        assert (one["rows"], one["abnormal"]) == (other["rows"], other["abnormal"])
        assert one["alarms_of_both"] == other["alarms_of_both"] <= min(one["alarms"], other["alarms"])
    assert rows["held_back", "champion"]["alarms_of_both"] > 0
    assert rows["live", "challenger"]["abnormal"] == 1, "what an operator confirmed"
    assert rows["held_back", "challenger"]["against"] == "isolation_forest/1"
