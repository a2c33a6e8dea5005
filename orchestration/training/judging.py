"""Judges champion and challenger side by side on what neither was trained on: rows of the table `model_scores`.

Held back: the test part of the newest training set, with the verdicts of operators as labels where there are any. Live:
readings of the last hours, in shadow: what would each have found abnormal?
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from deltalake import write_deltalake

from detection.messages import Readings
from detection.models import evaluation, examples
from detection.models.evaluation import Figures, Interval
from detection.models.examples import NORMAL, TEST, TRAIN, Examples, LabelledReadings, coded
from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.registry import CHALLENGER, CHAMPION, Standing
from lakehouse.models.store import ISOLATION_FOREST, LSTM_AUTOENCODER, ModelStore
from lakehouse.tables import ANOMALIES, MODEL_SCORES, READINGS
from orchestration.training import history, sets, training
from sensorlake.errors import ModelError

MODELS = (ISOLATION_FOREST, LSTM_AUTOENCODER)
HELD_BACK, LIVE = "held_back", "live"
CHANCE = "chance"
_SCHEMA = arrow_schema(MODEL_SCORES.record)


@dataclass(frozen=True)
class Extent:
    """confidence, rounds: of the bootstrap. most_rows: judged of each model. live_minutes: how far back readings are
    scored in shadow, of `live_devices` devices."""

    confidence: float = 0.95
    rounds: int = 200
    most_rows: int = 50_000
    live_minutes: float = 120
    live_devices: int = 100
    seed: int = 0


@dataclass(frozen=True)
class Scored:
    """What a version said of some rows."""

    standing: Standing
    score: np.ndarray
    threshold: float

    @property
    def alarms(self) -> np.ndarray:
        found: np.ndarray = self.score >= self.threshold
        return found


@dataclass(frozen=True)
class Judged:
    """One model: its versions, by role, on the held-back rows and on the live ones. refused: versions that cannot be
    used."""

    name: str
    training_set: int
    rows: Examples
    held_back: Mapping[str, Scored]
    live_rows: Examples
    live: Mapping[str, Scored]
    refused: Mapping[str, str]


def judge(lake: Lake, store: ModelStore, extent: Extent, verdicts: Mapping[str, bool], now: datetime) -> list[Judged]:
    """Score the champion and the challenger of each model that has either."""
    known = {name: _contenders(lake, name) for name in MODELS}
    if not any(known.values()):
        return []
    given, live = sets.newest(lake), _live(lake, extent, verdicts, now)
    data = with_verdicts(lake, given.data, verdicts)
    found = []
    for name, contenders in known.items():
        if not contenders:
            continue
        rows = _rows(name, data, extent)
        shadow = _rows(name, live, extent) if live else rows.where(np.zeros(len(rows), np.bool_))
        held_back, in_shadow, refused = {}, {}, {}
        with tempfile.TemporaryDirectory() as folder:
            for standing in contenders:
                try:
                    held_back[standing.role] = _score(store, standing, rows, Path(folder))
                    if len(shadow):
                        in_shadow[standing.role] = _score(store, standing, shadow, Path(folder))
                except ModelError as error:
                    refused[standing.role] = str(error)
        found.append(Judged(name, given.version, rows, held_back, shadow, in_shadow, refused))
    return found


def compared(judged: Judged, extent: Extent) -> tuple[str, Interval] | None:
    """What the challenger was compared with, and by how much it is better; None without a challenger."""
    challenger, champion = judged.held_back.get(CHALLENGER), judged.held_back.get(CHAMPION)
    if challenger is None:
        return None
    label, device = judged.rows.abnormal, judged.rows.device
    options = {"seed": extent.seed, "rounds": extent.rounds, "confidence": extent.confidence}
    if champion is None:
        return CHANCE, evaluation.beats_chance(challenger.score, label, device, **options)
    interval = evaluation.compare(challenger.score, champion.score, label, device, **options)
    return champion.standing.label, interval


def write(lake: Lake, judged: list[Judged], extent: Extent, now: datetime) -> dict[str, Any]:
    """Add the figures to the table `model_scores`; what the asset's page shows."""
    rows: list[dict[str, Any]] = []
    shown: dict[str, Any] = {}
    for each in judged:
        for role, scored in each.held_back.items():
            label, kind = each.rows.abnormal, each.rows.kind
            found = evaluation.by_kind(scored.score, label, kind, scored.threshold)
            rows += [_row(scored, figures, HELD_BACK, each.training_set, now) for figures in found]
            drawn = evaluation.curves(scored.score, label)
            rows[-len(found)] |= {
                "curve_recall": drawn.recall.tolist(),
                "curve_precision": drawn.precision.tolist(),
                "curve_false_alarm_rate": drawn.false_alarm_rate.tolist(),
                **_side_by_side(scored, each.held_back),
            }
            if role == CHALLENGER and (result := compared(each, extent)):
                against, interval = result
                rows[-len(found)] |= {
                    "against": against,
                    "difference": interval.difference,
                    "difference_low": interval.low,
                    "difference_high": interval.high,
                }
                shown[f"{each.name}/better_than_{against}"] = interval.difference
            shown |= _shown(each.name, role, scored.standing.version, found[0])
        for role, scored in each.live.items():
            figures = evaluation.figures(scored.score, each.live_rows.abnormal, scored.threshold)
            alarms = _side_by_side(scored, each.live)
            rows.append(_row(scored, figures, LIVE, 0, now) | alarms)
            shown[f"{each.name}/{role}/live_alarm_rate"] = figures.false_alarm_rate
            shown |= {f"{each.name}/{role}/live_{item}": count for item, count in alarms.items() if count is not None}
        shown |= {f"{each.name}/{role}/refused": why for role, why in each.refused.items()}
    table = creation.ensure(lake, MODEL_SCORES)
    if rows:
        write_deltalake(table, pa.Table.from_pylist(rows, schema=_SCHEMA), mode="append")
    return {"dagster/row_count": len(rows), **shown}


def _contenders(lake: Lake, name: str) -> list[Standing]:
    return [each for each in registry.standings(lake, name) if each.role in (CHAMPION, CHALLENGER)]


def _rows(name: str, data: LabelledReadings, extent: Extent) -> Examples:
    """What a model is judged on."""
    rows = training.messages(data) if name == ISOLATION_FOREST else examples.windows(data)
    return rows.where(rows.part == TEST).thinned(extent.most_rows, extent.seed)


def _score(store: ModelStore, standing: Standing, rows: Examples, folder: Path) -> Scored:
    place = store.fetch(standing.name, standing.version, folder)
    manifest = store.manifest(standing.name, standing.version)
    score = training.scores(standing.name, place, manifest, rows)
    return Scored(standing, score, float(manifest.parameters["threshold"]))


def _live(lake: Lake, extent: Extent, verdicts: Mapping[str, bool], now: datetime) -> LabelledReadings | None:
    """Readings of the last hours; the first half of that time tells what is usual, the other is judged. Nothing is
    known of them but what operators said."""
    if (table := lake.find(READINGS)) is None:
        return None
    start = now - timedelta(minutes=extent.live_minutes)
    rows = history.readings(table, start, now, devices=extent.live_devices, least=1, seed=extent.seed)
    if rows.num_rows == 0:
        return None
    devices, device = coded(rows["device_id"].to_pylist())
    metrics, metric = coded(rows["metric"].to_pylist())
    time = rows["event_time"].cast(pa.int64()).to_numpy()
    middle = (int(time.min()) + int(time.max())) // 2
    nothing = np.zeros(len(time), np.bool_)
    data = LabelledReadings(
        Readings(devices, metrics, device, metric, time, rows["value"].to_numpy()),
        nothing,
        np.full(len(time), NORMAL),
        np.where(time > middle, TEST, TRAIN),
    )
    return with_verdicts(lake, data, verdicts)


def with_verdicts(lake: Lake, data: LabelledReadings, verdicts: Mapping[str, bool]) -> LabelledReadings:
    """Labels as operators know them: a reading that was confirmed is abnormal, one that was refuted is not, unless a
    fault was injected there."""
    table = lake.find(ANOMALIES)
    if table is None or not verdicts:
        return data
    readings = data.readings
    start, end = (datetime.fromtimestamp(edge / 1e6, UTC) for edge in (readings.time.min(), readings.time.max() + 1))
    keys = pa.table(
        {
            "device_id": pa.array(readings.devices).take(pa.array(readings.device)),
            "metric": pa.array(readings.metrics).take(pa.array(readings.metric)),
            "event_time": pa.array(readings.time),
        }
    )
    said = history.said_of(keys, table, verdicts, start, end)
    injected = data.abnormal & (data.kind != sets.REPORTED)
    real = (said == history.CONFIRMED) & ~injected
    refuted = (said == history.REFUTED) & ~injected
    kind = np.where(real, sets.REPORTED, np.where(refuted, NORMAL, data.kind))
    return LabelledReadings(readings, (data.abnormal | real) & ~refuted, kind, data.part)


def _row(scored: Scored, figures: Figures, data: str, training_set: int, now: datetime) -> dict[str, Any]:
    values = {item.name: getattr(figures, item.name) for item in fields(figures)}
    standing = scored.standing
    return {
        **{name: None if isinstance(value, float) and np.isnan(value) else value for name, value in values.items()},
        "judged_at": now,
        "name": standing.name,
        "version": standing.version,
        "role": standing.role,
        "data": data,
        "training_set": training_set,
        **dict.fromkeys(("alarms", "alarms_of_both", "against", "difference", "difference_low", "difference_high")),
        "curve_recall": [],
        "curve_precision": [],
        "curve_false_alarm_rate": [],
    }


def _side_by_side(scored: Scored, versions: Mapping[str, Scored]) -> dict[str, int | None]:
    """How many of the same rows this version finds abnormal, and how many of those another one of `versions` does."""
    other = next((each.alarms for each in versions.values() if each is not scored), None)
    return {
        "alarms": int(scored.alarms.sum()),
        "alarms_of_both": None if other is None else int((scored.alarms & other).sum()),
    }


def _shown(name: str, role: str, version: int, figures: Figures) -> dict[str, Any]:
    shown = {f"{name}/{role}": version}
    for item in ("pr_auc", "roc_auc", "f1", "false_alarm_rate"):
        value = getattr(figures, item)
        shown |= {} if np.isnan(value) else {f"{name}/{role}/{item}": value}
    return shown
