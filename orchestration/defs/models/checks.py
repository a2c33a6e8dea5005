"""Checks on training sets, where one that fails lets nothing be trained on them, and on what is in force."""

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import dagster as dg

from expectations import training_sets
from orchestration.gx import checks_for
from orchestration.outages import reachable_lake
from orchestration.resources.installation import Installation
from sensorlake.errors import ModelError

if TYPE_CHECKING:
    from expectations.data import Data


def _newest(installation: Installation, day: date | None) -> "Data | None":  # noqa: ARG001  no table of days
    from orchestration.training import sets  # noqa: PLC0415  imports Arrow

    return sets.evidence_of_newest(installation.lake, datetime.now(UTC))


training_set_checks = checks_for("training_set", training_sets.SUITE, load=_newest)


@dg.asset_check(
    asset="training_set",
    name="inputs_have_not_drifted",
    description="The readings of the last SENSORLAKE_DRIFT_MINUTES lie where those of the training set do.",
)
def inputs_have_not_drifted(installation: Installation) -> dg.AssetCheckResult:
    from orchestration.training import drift  # noqa: PLC0415  imports Arrow and numpy

    settings = installation.settings
    with reachable_lake(installation) as lake:
        found = drift.of_inputs(lake, settings.drift_minutes, datetime.now(UTC))
    metric, index = found.largest
    said = f"{metric}: stability index {index:.3f}" if metric else "no device of the training set has sent enough"
    return dg.AssetCheckResult(
        passed=index <= settings.drift_limit,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{said}; {settings.drift_limit:g} is the limit",
        metadata={"training_set": found.version, "readings": found.readings, **found.by_metric},
    )


@dg.asset_check(
    asset="model_evaluation",
    name="champions_beat_chance",
    description="Each champion tells abnormal rows of the held-back ones from normal ones: its ROC-AUC is above 0.5.",
)
def champions_beat_chance(installation: Installation) -> dg.AssetCheckResult:
    from orchestration.training import judging, promotion  # noqa: PLC0415  imports Arrow

    with reachable_lake(installation) as lake:
        rows = [row for name in judging.MODELS for row in promotion.newest(lake, name)]
    figures = {
        f"{row['name']}/{row['version']}": row["roc_auc"]
        for row in rows
        if (row["role"], row["data"], row["kind"]) == ("champion", judging.HELD_BACK, "all")
    }
    worse = [label for label, figure in figures.items() if figure is not None and figure <= 0.5]
    return dg.AssetCheckResult(
        passed=not worse,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"no better than chance: {', '.join(worse)}" if worse else f"{len(figures)} champions judged",
        metadata={label: figure for label, figure in figures.items() if figure is not None},
    )


@dg.asset_check(
    asset="champion_model",
    name="champions_are_whole",
    description="The artefact of each champion is signed with our key and as it was published.",
)
def champions_are_whole(installation: Installation) -> dg.AssetCheckResult:
    from lakehouse.models import registry  # noqa: PLC0415  imports Arrow

    refused = {}
    with reachable_lake(installation) as lake:
        champions = [each for each in registry.standings(lake) if each.role == registry.CHAMPION]
        for each in champions:
            try:
                installation.models.require_whole(each.name, each.version)
            except ModelError as error:
                refused[each.label] = str(error)
    said = "; ".join(refused.values()) or ", ".join(each.label for each in champions) or "there is no champion yet"
    return dg.AssetCheckResult(passed=not refused, description=said, metadata={"champions": len(champions)})
