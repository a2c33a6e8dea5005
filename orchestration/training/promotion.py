"""Decides by the newest figures of `model_scores` whether challengers become champions.

A challenger is promoted where it is better than the champion by more than a margin, by the lower end of the bootstrap
interval of the difference in average precision, and does not flood live readings with alarms. Where no champion can be
used, it must beat chance in the same way (its ROC-AUC above 0.5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow.compute as pc
from deltalake import DeltaTable

from lakehouse.lake import Lake
from lakehouse.models import registry
from lakehouse.models.registry import CHALLENGER, CHAMPION
from lakehouse.models.store import ModelStore
from lakehouse.tables import MODEL_SCORES
from orchestration.training.judging import CHANCE, HELD_BACK, LIVE, MODELS
from sensorlake.errors import ModelError

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Rules:
    """margin: what the lower end of the interval must exceed. most_alarms: the share of live rows that a challenger may
    find abnormal, or twice the champion's share where that is more."""

    margin: float = 0.005
    most_alarms: float = 0.1


@dataclass(frozen=True)
class Decision:
    """promote: the challenger, `version`, should become the champion."""

    promote: bool
    version: int | None
    why: str


def newest(lake: Lake, name: str) -> list[Row]:
    """The rows of a model's newest judgement; none before the first."""
    table = lake.find(MODEL_SCORES)
    if table is None:
        return []
    rows = table.to_pyarrow_dataset().to_table(columns=_plain_columns(table), filter=pc.field("name") == name)
    last = pc.max(rows["judged_at"])
    return rows.filter(pc.equal(rows["judged_at"], last)).to_pylist() if rows.num_rows else []


def figures_of(lake: Lake, name: str, version: int) -> list[Row]:
    """The newest figures of one version, over all rows and by kind."""
    rows = [row for row in _all(lake) if (row["name"], row["version"]) == (name, version)]
    last = max((row["judged_at"] for row in rows), default=None)
    return [row for row in rows if row["judged_at"] == last]


def newest_figures(lake: Lake) -> dict[tuple[str, int], tuple[Any, ...]]:
    """(PR-AUC, ROC-AUC, F1) on held-back rows of each version that was judged, by name and version."""
    rows = [row for row in _all(lake) if (row["data"], row["kind"]) == (HELD_BACK, "all")]
    ordered = sorted(rows, key=lambda row: row["judged_at"])
    return {(row["name"], row["version"]): (row["pr_auc"], row["roc_auc"], row["f1"]) for row in ordered}


def _all(lake: Lake) -> list[Row]:
    table = lake.find(MODEL_SCORES)
    return table.to_pyarrow_dataset().to_table(columns=_plain_columns(table)).to_pylist() if table else []


def _plain_columns(table: DeltaTable) -> list[str]:
    """Without the curves, which are long."""
    return [field.name for field in table.schema().fields if not field.name.startswith("curve_")]


def decide(rows: Sequence[Row], champion: str | None, rules: Rules) -> Decision:
    """Should the challenger of these rows take the place of `champion` (name/version)? Pure."""
    challenger = _of(rows, CHALLENGER, HELD_BACK)
    if challenger is None:
        return Decision(False, None, "no challenger was judged")
    version, against = challenger["version"], challenger["against"]
    if against not in (CHANCE, champion):
        return Decision(False, version, f"it was judged against {against}, but {champion} is in force: judge it again")
    label = f"{challenger['name']}/{version}"
    figure = "ROC-AUC" if against == CHANCE else "average precision"
    low, high = challenger["difference_low"], challenger["difference_high"]
    said = (
        f"{label} against {against}: {challenger['difference']:+.4f} in {figure}, interval {low:+.4f} to {high:+.4f}, "
        f"on {challenger['rows']} rows of training set {challenger['training_set']}, {challenger['abnormal']} abnormal"
    )
    if not low > rules.margin:
        return Decision(False, version, f"{said}; the lower end must exceed {rules.margin:g}")
    live, live_champion = _of(rows, CHALLENGER, LIVE), _of(rows, CHAMPION, LIVE)
    allowed = max(rules.most_alarms, 2 * (live_champion["false_alarm_rate"] or 0.0) if live_champion else 0.0)
    if live and (live["false_alarm_rate"] or 0.0) > allowed:
        rate = live["false_alarm_rate"]
        return Decision(False, version, f"{said}; but it finds {rate:.1%} of live rows abnormal, {allowed:.1%} may be")
    return Decision(True, version, said)


def promote_better(lake: Lake, store: ModelStore, rules: Rules, by: str) -> dict[str, Any]:
    """Promote every challenger that deserves it; what the asset's page shows."""
    shown: dict[str, Any] = {}
    for name in MODELS:
        champion, challenger = registry.champion(lake, name), registry.challenger(lake, name)
        decision = decide(newest(lake, name), champion.label if champion else None, rules)
        stale = challenger is None or challenger.version != decision.version
        if decision.promote and not stale and decision.version is not None:
            store.require_whole(name, decision.version)
            champion = registry.promote(lake, name, decision.version, by=by, why=decision.why)
        why = "the challenger that was judged is none any more: judge again" if decision.promote and stale else ""
        shown |= {
            f"{name}/champion": champion.version if champion else "none",
            f"{name}/promoted": decision.promote and not stale,
            f"{name}/why": why or decision.why,
        }
    return shown


def promote_by_hand(lake: Lake, store: ModelStore, name: str, version: int, *, by: str, why: str) -> registry.Standing:
    """Make a published version the champion, whatever its figures say.

    Raises:
        ModelError: it is not in the registry, or its artefact is refused.
    """
    store.require_whole(name, version)
    return registry.promote(lake, name, version, by=by, why=why)


def roll_back(
    lake: Lake, store: ModelStore, name: str, *, by: str, why: str, version: int | None = None
) -> registry.Standing:
    """Make an earlier champion the champion again, by default the last one whose artefact is whole.

    Raises:
        ModelError: there is no earlier champion that could be used.
    """
    if version is not None:
        store.require_whole(name, version)
        return registry.roll_back(lake, name, version=version, by=by, why=why)
    refused = []
    for standing in registry.earlier_champions(lake, name):
        try:
            store.require_whole(name, standing.version)
        except ModelError as error:
            refused.append(str(error))
            continue
        return registry.roll_back(lake, name, version=standing.version, by=by, why=why)
    said = "; ".join(refused)
    raise ModelError(f"model {name} has no earlier champion to go back to{': ' + said if said else ''}")


def _of(rows: Sequence[Row], role: str, data: str) -> Row | None:
    return next((row for row in rows if (row["role"], row["data"], row["kind"]) == (role, data, "all")), None)
