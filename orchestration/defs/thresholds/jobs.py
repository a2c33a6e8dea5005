"""Refresh, and what people do to the thresholds, as jobs."""

import dagster as dg

from orchestration.resources.installation import Installation

refresh_thresholds = dg.define_asset_job(
    "refresh_thresholds",
    dg.AssetSelection.assets("baselines", "threshold_candidates", "thresholds"),
    description="Learn baselines, make candidates, compare them with what is live, publish if all checks pass.",
    # A check that failed fails again; the sensor asks anew when there is something new to learn from.
    tags={"dagster/max_retries": "0"},
)


class Rollback(dg.Config):
    """The version whose limits are to be live again."""

    version: int
    by: str
    why: str


@dg.op(pool="thresholds")
def roll_back(context: dg.OpExecutionContext, installation: Installation, config: Rollback) -> None:
    from lakehouse import threshold_changes  # noqa: PLC0415  imports Arrow

    number = threshold_changes.roll_back(installation.lake, config.version, by=config.by, why=config.why)
    context.log.info(f"version {number} is live, with the limits of version {config.version}")


class HandSetLimit(dg.Config):
    """A limit of one device (* for every device without its own) and metric; a figure left out stays as it is."""

    device_id: str
    metric: str
    lower: float | None = None
    upper: float | None = None
    mean: float | None = None
    stddev: float | None = None
    z_limit: float | None = None
    by: str
    why: str


@dg.op(pool="thresholds")
def set_by_hand(context: dg.OpExecutionContext, installation: Installation, config: HandSetLimit) -> None:
    from lakehouse import threshold_changes  # noqa: PLC0415  imports Arrow
    from lakehouse.thresholds import LIMITS  # noqa: PLC0415

    given = {name: value for name in LIMITS if (value := getattr(config, name)) is not None}
    number = threshold_changes.set_by_hand(
        installation.lake, config.device_id, config.metric, given, by=config.by, why=config.why
    )
    context.log.info(f"version {number} is live")


class Removal(dg.Config):
    """A limit that was set by hand."""

    device_id: str
    metric: str
    by: str
    why: str


@dg.op(pool="thresholds")
def remove_by_hand(context: dg.OpExecutionContext, installation: Installation, config: Removal) -> None:
    from lakehouse import threshold_changes  # noqa: PLC0415  imports Arrow

    number = threshold_changes.remove_by_hand(
        installation.lake, config.device_id, config.metric, by=config.by, why=config.why
    )
    context.log.info(f"version {number} is live")


@dg.job(description="Make the limits of an earlier version live again.")
def rollback_thresholds() -> None:
    roll_back()


@dg.job(description="Set a limit by hand; it outlives refreshes until it is removed.")
def set_threshold() -> None:
    set_by_hand()


@dg.job(description="Remove a limit that was set by hand.")
def unset_threshold() -> None:
    remove_by_hand()
