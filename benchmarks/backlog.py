"""What queries are behind by, over the time of a run: judged and told."""

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks import trend
from benchmarks.alert_count import AlertCount
from benchmarks.observers.progress import Place, ProgressWatch
from sensorlake.settings import Settings
from stack.layout import Layout

GROWING_SHARE = 0.01
"""A lag that grows by less than this share of what comes in would take a hundred minutes to be one minute behind."""
_WINDOWS = 12
_LOOK_SECONDS = 0.5
_QUIET_SECONDS = 10.0


def judged(places: Sequence[Place], seconds: float) -> dict[str, Any]:
    """Of one query in one stretch of time: its lag's trend, held against the rate at which its source grew.

    `grows` is None where too little was seen to say.
    """
    if not places:
        return {"grows": None, "highest": None, "end": None, "rate": None, "slope": None, "low": None, "high": None}
    began = places[0].at
    lags = [place.lag for place in places]
    line = trend.fit([place.at - began for place in places], lags, max(1.0, seconds / _WINDOWS))
    rate = (places[-1].end - places[0].end) / max(1e-9, places[-1].at - began)
    return {
        "grows": trend.grows(line, rate, GROWING_SHARE),
        "highest": max(lags),
        "end": lags[-1],
        "rate": round(rate, 2),
        **{name: round(getattr(line, name), 3) if line else None for name in ("slope", "low", "high")},
    }


def between(places: Mapping[str, Sequence[Place]], first: float, end: float) -> dict[str, list[Place]]:
    return {name: [place for place in found if first <= place.at < end] for name, found in places.items()}


def failures(settings: Settings) -> dict[str, int]:
    """How often each query failed since the stream began, as it says itself."""
    try:
        report = json.loads(Layout.of(settings).queries_file.read_text("utf-8"))
        return {name: int(query["failures"]) for name, query in report["queries"].items()}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def drain(progress: ProgressWatch, count: AlertCount, most_seconds: float) -> float | None:
    """Wait until no query is behind. The seconds it took; None where they still are when the time is up.

    Alerts that have not come for ten seconds, while all else is done, will not come.
    """
    began = changed = time.monotonic()
    alerts = count()[0]
    while (now := time.monotonic()) - began < most_seconds:
        progress.require_well()
        if (came := count()[0]) != alerts:
            alerts, changed = came, now
        behind = {name for name, lag in progress.lags().items() if lag}
        is_fresh = all(places and places[-1].at > began for places in progress.places.values())
        if is_fresh and (not behind or (behind == {"alerts"} and now - changed > _QUIET_SECONDS)):
            return round(now - began, 1)
        time.sleep(_LOOK_SECONDS)
    return None
