"""Reading timestamps as people and devices write them."""

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
SECONDS_BELOW, MILLIS_BELOW, MICROS_BELOW = 10**11, 10**14, 10**17


def parse(text: str) -> tuple[int, bool]:
    """Microseconds since 1970-01-01 UTC, and whether the text named its zone.

    Takes ISO 8601 with or without a zone (without one it is read as UTC), and the time since 1970 in seconds,
    milliseconds or microseconds, told apart by size.

    Raises:
        ValueError: it is neither.
    """
    text = text.strip()
    digits = text.replace(".", "", 1)
    if digits.isascii() and digits.isdigit():
        return _epoch(text), True
    try:
        moment = datetime.fromisoformat(text)
        named = moment.tzinfo is not None
        return ((moment if named else moment.replace(tzinfo=UTC)) - EPOCH) // MICROSECOND, named
    except (ValueError, OverflowError):
        raise ValueError(f"{text[:40]!r} is not a timestamp (ISO 8601, or seconds, ms or us since 1970)") from None


def _epoch(text: str) -> int:
    if len(text) > 24:
        raise ValueError(f"{text[:40]!r} is not a timestamp: too many digits")
    whole, _, fraction = text.partition(".")
    size = int(whole or 0)
    if size < SECONDS_BELOW:
        return size * 1_000_000 + int((fraction + "000000")[:6])
    if size < MILLIS_BELOW:
        return size * 1000 + int((fraction + "000")[:3])
    if size < MICROS_BELOW:
        return size
    raise ValueError(f"{text!r} is not a timestamp: later than the year 5138 in microseconds since 1970")
