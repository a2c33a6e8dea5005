"""Training and judging, and what people do to the registry of models, as jobs."""

import dagster as dg

from orchestration.resources.installation import Installation

train_models = dg.define_asset_job(
    "train_models",
    dg.AssetSelection.assets(
        "training_set", "isolation_forest", "lstm_autoencoder", "model_evaluation", "champion_model"
    ),
    description="Make a training set, train both models on it, judge them beside the champions, promote the better.",
    # What failed fails again; the sensor asks anew.
    tags={"dagster/max_retries": "0"},
)
judge_models = dg.define_asset_job(
    "judge_models",
    dg.AssetSelection.assets("model_evaluation", "champion_model"),
    description="Judge challengers that run in shadow once more, promote the better.",
    tags={"dagster/max_retries": "0"},
)
judge_models_nightly = dg.ScheduleDefinition(
    name="judge_models_nightly",
    job=judge_models,
    cron_schedule="50 2 * * *",
    execution_timezone="UTC",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every night: operators have judged more anomalies, and live readings have changed.",
)


class Promotion(dg.Config):
    """A published version that is to be in force, whatever its figures say."""

    name: str
    version: int
    by: str
    why: str


class Rollback(dg.Config):
    """The model whose earlier champion is to be in force again: the last one, or `version`."""

    name: str
    version: int | None = None
    by: str
    why: str


@dg.op(pool="model_registry")
def promote(context: dg.OpExecutionContext, installation: Installation, config: Promotion) -> None:
    from orchestration.training import promotion  # noqa: PLC0415  imports Arrow

    made = promotion.promote_by_hand(
        installation.lake, installation.models, config.name, config.version, by=config.by, why=config.why
    )
    context.log.info(f"{made.label} is in force")


@dg.op(pool="model_registry")
def roll_back_model_op(context: dg.OpExecutionContext, installation: Installation, config: Rollback) -> None:
    from orchestration.training import promotion  # noqa: PLC0415  imports Arrow

    made = promotion.roll_back(
        installation.lake, installation.models, config.name, version=config.version, by=config.by, why=config.why
    )
    context.log.info(f"{made.label} is in force again")


@dg.job(description="Make a published version of a model the champion.")
def promote_model() -> None:
    promote()


@dg.job(description="Make an earlier champion of a model the champion again.")
def rollback_model() -> None:
    roll_back_model_op()
