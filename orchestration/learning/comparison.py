"""Candidates against what is live: what must hold before they may be published. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from lakehouse.thresholds import ANY_DEVICE, LEARNED
from orchestration.learning.candidates import Key, bounds

# So many of the learned limits may move by more than so many of the live standard deviations at once. Where more do,
# something happened to all of them: a sender that changed its unit, a clock, a storm.
MOST_MOVED = 0.2
FAR = 10.0
# A limit that becomes so many times as wide silences its device.
SILENCED = 10.0
# The share of the series judged by the live limits in the last day that candidates must judge.
LEAST_COVERED = 0.99
# A limit that would find more than this of a device's last day abnormal floods, unless the live one does as well.
FLOODED = 0.5
_SHOWN = 20


@dataclass(frozen=True)
class Verdict:
    """Whether candidates may be published, as far as one question goes. `offenders`: rows that answer why not."""

    passed: bool
    summary: str
    figures: Mapping[str, float]
    offenders: Sequence[Mapping[str, Any]]
    offender_count: int


def judged(limits: pa.Table, active: Sequence[Key]) -> list[Key]:
    """Those of the active devices and metrics that some limit judges."""
    rows = {(row["device_id"], row["metric"]): row for row in limits.to_pylist()}
    return [key for key in active if _limits(rows, key)]


def coverage(candidates: pa.Table, judged_now: Sequence[Key]) -> Verdict:
    """Is every device and metric that is judged now, and was active in the last day, still judged?"""
    still = set(judged(candidates, judged_now))
    missing = [key for key in judged_now if key not in still]
    share = len(still) / len(judged_now) if judged_now else 1.0
    return _verdict(
        share >= LEAST_COVERED,
        f"{share:.1%} of {len(judged_now)} active series stay judged, {LEAST_COVERED:.0%} must",
        {"judged_now": float(len(judged_now)), "judged": float(len(still)), "share": share},
        [{"device_id": device, "metric": metric} for device, metric in missing],
    )


def sound(candidates: pa.Table) -> Verdict:
    """Can each limit judge at all: figures finite, lower below upper, a deviation above 0, the mean within limits?"""
    wrong = [row for row in candidates.to_pylist() if _fault(row)]
    return _verdict(
        not wrong and candidates.num_rows > 0,
        f"{len(wrong)} of {candidates.num_rows} limits cannot judge" if candidates.num_rows else "there are no limits",
        {"limits": float(candidates.num_rows)},
        [_short(row) | {"fault": _fault(row)} for row in wrong],
    )


def change(candidates: pa.Table) -> Verdict:
    """Do not too many limits move far at once?"""
    learned = [row for row in candidates.to_pylist() if row["source"] == LEARNED and row["change"] is not None]
    moved = [row for row in learned if row["change"] > FAR]
    share = len(moved) / len(learned) if learned else 0.0
    # One device among few is a large share: at least two must move before it can be said of all.
    return _verdict(
        share <= MOST_MOVED or len(moved) < 2,
        f"{len(moved)} of {len(learned)} learned limits move by more than {FAR:g} of their live standard deviations; "
        f"{MOST_MOVED:.0%} may",
        {"compared": float(len(learned)), "moved": float(len(moved)), "share": share},
        sorted((_short(row) | {"change": row["change"]} for row in moved), key=lambda row: -row["change"]),
    )


def silenced(candidates: pa.Table) -> Verdict:
    """Does no device lose its alarms because its limits become far wider?"""
    learned = [row for row in candidates.to_pylist() if row["source"] == LEARNED and row["live_stddev"]]
    wider = [row for row in learned if row["stddev"] > SILENCED * row["live_stddev"]]
    return _verdict(
        not wider,
        f"{len(wider)} of {len(learned)} learned limits become more than {SILENCED:g} times as wide, none may",
        {"compared": float(len(learned)), "silenced": float(len(wider))},
        [_short(row) for row in wider],
    )


def alarm_rate(candidates: pa.Table, limit: float) -> Verdict:
    """Would the candidates flood neither over all nor any device, as far as the last day tells?"""
    rows = candidates.to_pylist()
    readings, alarms, live = (
        sum(row[name] for row in rows) for name in ("expected_readings", "expected_alarms", "live_alarms")
    )
    rate, live_rate = (count / readings if readings else 0.0 for count in (alarms, live))
    flooded = [
        row
        for row in rows
        if row["source"] == LEARNED
        and row["expected_alarms"] > max(FLOODED * row["expected_readings"], row["live_alarms"])
    ]
    return _verdict(
        (rate <= limit or rate <= live_rate) and not flooded,
        f"of the last day's {readings} readings {rate:.3%} would be abnormal ({live_rate:.3%} by the live limits), "
        f"{limit:.3%} may be; {len(flooded)} limits would flood",
        {"readings": float(readings), "rate": rate, "live_rate": live_rate, "flooded": float(len(flooded))},
        [_short(row) | {"alarms": row["expected_alarms"], "readings": row["expected_readings"]} for row in flooded],
    )


def _fault(row: Mapping[str, Any]) -> str | None:
    figures = [row[name] for name in ("lower", "upper", "mean", "stddev", "z_limit") if row[name] is not None]
    if any(figure != figure or abs(figure) == float("inf") for figure in figures):  # noqa: PLR0124  NaN
        return "a figure is not finite"
    if row["lower"] is not None and row["upper"] is not None and row["lower"] >= row["upper"]:
        return "lower is not below upper"
    if row["mean"] is not None and (row["stddev"] is None or row["stddev"] <= 0):
        return "the standard deviation is not above 0"
    if row["z_limit"] is not None and row["z_limit"] <= 0:
        return "z_limit is not above 0"
    if not figures:
        return "it limits nothing"
    least, most = bounds(row)
    return None if least < most else "no value is normal to it"


def _limits(rows: Mapping[Key, Mapping[str, Any]], key: Key) -> bool:
    row = rows.get(key) or rows.get((ANY_DEVICE, key[1]))
    return row is not None and _fault(row) is None


def _short(row: Mapping[str, Any]) -> dict[str, Any]:
    names = ("device_id", "metric", "source", "lower", "upper", "mean", "stddev", "z_limit", "live_mean", "live_stddev")
    return {name: row[name] for name in names}


def _verdict(
    passed: bool,
    summary: str,
    figures: Mapping[str, float],
    offenders: Sequence[Mapping[str, Any]],
) -> Verdict:
    return Verdict(passed, summary, figures, list(offenders)[:_SHOWN], len(offenders))
