"""The assets `model_evaluation` and `champion_model`: champion and challenger side by side, and which is in force."""

from datetime import UTC, datetime
from typing import Any

import dagster as dg

from orchestration.metadata import table_schema
from orchestration.outages import reachable_lake
from orchestration.resources.installation import Installation


class Extent(dg.Config):
    """Of the bootstrap, and of what is scored in shadow."""

    confidence: float = 0.95
    rounds: int = 200
    most_rows: int = 50_000
    live_minutes: float = 120
    live_devices: int = 100
    seed: int = 0


class Rules(dg.Config):
    """margin: what the lower end of the interval of the difference must exceed. most_alarms: the share of live rows
    that a challenger may find abnormal, or twice the champion's share where that is more."""

    margin: float = 0.005
    most_alarms: float = 0.1


@dg.asset(
    deps=["isolation_forest", "lstm_autoencoder", "training_set", dg.AssetKey(["postgres", "registry", "feedback"])],
    group_name="models",
    owners=["team:sensorlake-operations"],
    kinds={"numpy", "onnx", "deltalake"},
    pool="model_scores",
    metadata={"dagster/column_schema": table_schema("model_score"), "dagster/table_name": "model_scores"},
)
def model_evaluation(installation: Installation, config: Extent) -> dg.MaterializeResult[Any]:
    """Champion and challenger of each model on held-back readings, whole and by kind of fault, and in shadow on those
    of the last hours; operators' verdicts count as labels."""
    from orchestration.training import judging  # noqa: PLC0415  imports Arrow and numpy

    extent, now = judging.Extent(**config.model_dump()), datetime.now(UTC)
    with reachable_lake(installation) as lake:
        judged = judging.judge(lake, installation.models, extent, installation.verdicts(), now)
        return dg.MaterializeResult(metadata=judging.write(lake, judged, extent, now))


@dg.asset(
    deps=["model_evaluation"],
    group_name="models",
    owners=["team:sensorlake-operations"],
    kinds={"deltalake"},
    pool="model_registry",
    metadata={"dagster/column_schema": table_schema("model_version"), "dagster/table_name": "model_registry"},
)
def champion_model(
    context: dg.AssetExecutionContext, installation: Installation, config: Rules
) -> dg.MaterializeResult[Any]:
    """The models in force. A challenger becomes the champion where it is better beyond chance and does not flood; the
    stream takes it over and stamps its version on every score.

    `sensorlake models` lists, promotes and rolls back.
    """
    from orchestration.training import promotion  # noqa: PLC0415  imports Arrow

    rules = promotion.Rules(**config.model_dump())
    with reachable_lake(installation) as lake:
        shown = promotion.promote_better(lake, installation.models, rules, by=f"dagster run {context.run.run_id[:8]}")
    return dg.MaterializeResult(metadata=shown)
