"""The days of the daily assets, UTC. Today is among them, as an operator wants its figures before it is over."""

from datetime import date
from functools import cache

import dagster as dg

from sensorlake import settings as settings_module


@cache
def days() -> dg.DailyPartitionsDefinition:
    """One partition a day from `SENSORLAKE_FIRST_DAY` to today."""
    return dg.DailyPartitionsDefinition(start_date=settings_module.load().first_day.isoformat(), end_offset=1)


def day_of(key: str) -> date:
    return date.fromisoformat(key)
