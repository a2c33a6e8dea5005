"""When assets run by themselves.

Every condition here is a moment that passes (a tick of the clock, an update), never a state that lasts: "is missing" or
"is stale" stays true while runs fail, and would ask for one run after the other. `since_last_handled` remembers the
moment until a run was asked for.
"""

from datetime import timedelta

import dagster as dg

NIGHT = "20 0 * * *"
# The tag of a run that says what asked for it.
CAUSE = "sensorlake/cause"
# And of a refresh that a sensor asked for, the version of the thresholds that was live then.
LIVE_VERSION = "sensorlake/live_version"

# What is made every night is there in the morning; what is learned is not older than two days.
BY_MORNING = dg.FreshnessPolicy.cron(deadline_cron="0 4 * * *", lower_bound_delta=timedelta(hours=4))
NOT_OLD = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=3), warn_window=timedelta(days=2))


def every_night() -> dg.AutomationCondition[dg.AssetKey]:
    """At 00:20 UTC: the day that has just ended, and the new one, which late senders may have reached already.

    Days further back are asked for by the sensor `changed_days`, when readings arrive for them.
    """
    ticked = dg.AutomationCondition.cron_tick_passed(NIGHT, "UTC").since_last_handled()
    recent = dg.AutomationCondition.in_latest_time_window(timedelta(days=2))
    return (recent & ticked & ~dg.AutomationCondition.in_progress()).with_label("every night")


def when_inputs_change(besides: str | None = None) -> dg.AutomationCondition[dg.AssetKey]:
    """Where an input was updated, or is about to be in the same run; `besides`: an input that does not count."""
    updated = dg.AutomationCondition.any_deps_updated()
    running = dg.AutomationCondition.any_deps_in_progress()
    if besides:
        left_out = dg.AssetSelection.assets(besides)
        updated, running = updated.ignore(left_out), running.ignore(left_out)
    condition = updated.since_last_handled() & ~running & ~dg.AutomationCondition.in_progress()
    return condition.with_label("when inputs change")


def checks_hold_up() -> dg.AutomationCondition[dg.AssetKey]:
    """Where a blocking check of an input failed when it was asked last. Within a run Dagster sees to that itself, but
    what a failed check kept from running there would be asked for again, in a run without the check."""
    failed = dg.AutomationCondition.any_checks_match(dg.AutomationCondition.check_failed(), blocking_only=True)
    return dg.AutomationCondition.any_deps_match(failed)
