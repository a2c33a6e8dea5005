"""Timestamps as devices send them: ISO 8601 with a zone, or seconds, milliseconds or microseconds since 1970."""

from pyspark.sql import Column
from pyspark.sql import functions as F

_ISO_WITH_ZONE = r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}(:\d{2}([.,]\d{1,9})?)?([Zz]|[+-]\d{2}(:?\d{2})?)$"

# A number is read by its size: below 1e11 it counts seconds (to the year 5138), below 1e14 milliseconds, below 1e17
# microseconds. No unit's plausible dates overlap with another's.
_SECONDS_BELOW, _MILLIS_BELOW, _MICROS_BELOW = 1e11, 1e14, 1e17


def from_text(text: Column) -> Column:
    """ISO 8601 text -> timestamp (UTC, microseconds); null without a zone or where it names no instant."""
    return F.when(text.rlike(_ISO_WITH_ZONE), F.replace(F.upper(text), F.lit(","), F.lit(".")).try_cast("timestamp"))


def from_number(number: Column) -> Column:
    """Seconds, milliseconds or microseconds since 1970 -> timestamp; null beyond all three."""
    size = F.abs(number)
    micros = (
        F.when(size < _SECONDS_BELOW, number * 1e6)
        .when(size < _MILLIS_BELOW, number * 1e3)
        .when(size < _MICROS_BELOW, number)
    )
    return F.timestamp_micros(F.round(micros).cast("bigint"))
