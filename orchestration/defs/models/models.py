"""The assets `isolation_forest` and `lstm_autoencoder`: each run trains, publishes and enters a challenger."""

from typing import TYPE_CHECKING, Any

import dagster as dg

from orchestration.automation import CAUSE
from orchestration.outages import reachable_lake
from orchestration.resources.installation import Installation

if TYPE_CHECKING:
    from lakehouse.lake import Lake
    from orchestration.training.training import Place


class ForestSizes(dg.Config):
    """Sizes of the forest, and how many messages it is trained on at most."""

    trees: int = 100
    samples: int = 256
    alarm_share: float = 0.001
    most_messages: int = 100_000
    seed: int = 0


class AutoencoderSizes(dg.Config):
    """Units of the layers, and how long it is trained at most: SENSORLAKE_TRAINING_EPOCHS and
    SENSORLAKE_TRAINING_SEQUENCES, unless said here."""

    encoder: list[int] = [128, 64]  # noqa: RUF012  pydantic copies defaults
    decoder: list[int] = [64, 128]  # noqa: RUF012
    epochs: int | None = None
    batch: int = 128
    patience: int = 3
    learning_rate: float = 0.001
    most_sequences: int | None = None
    seed: int = 0


@dg.asset(
    deps=["training_set"],
    group_name="models",
    owners=["team:sensorlake-operations"],
    kinds={"scikitlearn", "onnx"},
    pool="model_registry",
)
def isolation_forest(
    context: dg.AssetExecutionContext, installation: Installation, config: ForestSizes
) -> dg.MaterializeResult[Any]:
    """An isolation forest over the scores of all detectors, in the bucket of models as ONNX: the new challenger."""
    from detection.models.isolation_forest import Sizes  # noqa: PLC0415  imports numpy
    from orchestration.training import training  # noqa: PLC0415  imports Arrow

    sizes = Sizes(config.trees, config.samples, config.alarm_share)
    with reachable_lake(installation) as lake:
        shown = training.train_forest(
            _place(context, installation, lake),
            sizes,
            seed=config.seed,
            most_messages=config.most_messages,
            log=context.log.info,
        )
    return dg.MaterializeResult(metadata=shown)


@dg.asset(
    deps=["training_set"],
    group_name="models",
    owners=["team:sensorlake-operations"],
    kinds={"keras", "tensorflow", "onnx"},
    pool="model_registry",
)
def lstm_autoencoder(
    context: dg.AssetExecutionContext, installation: Installation, config: AutoencoderSizes
) -> dg.MaterializeResult[Any]:
    """An LSTM autoencoder over sequences of windows, in the bucket of models as SavedModel and ONNX: the new
    challenger. Needs sensorlake's extra `models`, without which nothing is trained; takes a GPU where there is one."""
    from detection.models.lstm_autoencoder import Sizes, can_be_trained  # noqa: PLC0415  imports numpy
    from orchestration.training import training  # noqa: PLC0415  imports Arrow

    if not can_be_trained():
        # No failure: the isolation forest would never be judged on machines without the extra.
        why = "TensorFlow is not installed: install sensorlake with its extra `models`"
        context.log.warning(why)
        return dg.MaterializeResult(metadata={"trained": False, "why": why})
    settings = installation.settings
    sizes = Sizes(
        encoder=tuple(config.encoder),
        decoder=tuple(config.decoder),
        epochs=config.epochs or settings.training_epochs,
        batch=config.batch,
        patience=config.patience,
        learning_rate=config.learning_rate,
    )
    with reachable_lake(installation) as lake:
        shown = training.train_autoencoder(
            _place(context, installation, lake),
            sizes,
            seed=config.seed,
            most_sequences=config.most_sequences or settings.training_sequences,
            log=context.log.info,
        )
    return dg.MaterializeResult(metadata=shown)


def _place(context: dg.AssetExecutionContext, installation: Installation, lake: "Lake") -> "Place":
    from orchestration.training.training import Place  # noqa: PLC0415

    why = context.run.tags.get(CAUSE) or "asked for in Dagster"
    return Place(lake, installation.models, by=f"dagster run {context.run.run_id[:8]}", why=why)
