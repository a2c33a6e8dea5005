"""Asks for training when there is enough to learn from, when inputs have drifted, and once a week."""

from datetime import UTC, datetime

import dagster as dg

from orchestration.automation import CAUSE
from orchestration.defs.models.jobs import train_models
from orchestration.outages import reachable_lake
from orchestration.resources.installation import Installation
from sensorlake.errors import SensorlakeError


@dg.sensor(
    job=train_models,
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Enough readings for the first models, drifting inputs or a week ask for training.",
)
def models_need_training(
    context: dg.SensorEvaluationContext,  # noqa: ARG001  Dagster calls it so
    installation: Installation,
) -> dg.SkipReason | dg.RunRequest:
    from orchestration.training import situation  # noqa: PLC0415  imports Arrow and numpy

    now = datetime.now(UTC)
    try:
        with reachable_lake(installation) as lake:
            kind, text = situation.reason_to_train(lake, installation.settings, now)
    except SensorlakeError as error:
        return dg.SkipReason(str(error))
    if kind is None:
        return dg.SkipReason(text)
    # One a day at most: training that failed would fail again.
    return dg.RunRequest(run_key=f"{kind}-{now:%Y-%m-%d}", tags={CAUSE: f"{kind}: {text}"})
