"""Checks that stand between candidates and publication: one that fails leaves the live version alone."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import dagster as dg

from expectations import baselines, threshold_candidates, thresholds
from orchestration.gx import checks_for, table_of
from orchestration.resources.installation import Installation

if TYPE_CHECKING:
    from orchestration.learning.comparison import Verdict

_QUESTIONS = {
    "coverage": "Every device and metric that is judged now and was active in the last day stays judged.",
    "sound": "Each limit can judge: figures are finite, lower is below upper, deviations are above 0.",
    "change": "Not too many learned limits move far at once.",
    "silenced": "No limit becomes so wide that its device is silenced.",
    "alarm_rate": "By the last day's readings, the limits would flood neither over all nor any device.",
}


baselines_checks = checks_for("baselines", baselines.SUITE)
threshold_candidates_checks = checks_for("threshold_candidates", threshold_candidates.SUITE)
# What they find wrong is live already: nothing to hold up.
thresholds_checks = checks_for("thresholds", thresholds.SUITE, blocking=False)


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(name, asset="threshold_candidates", description=text, blocking=True)
        for name, text in _QUESTIONS.items()
    ]
)
def compared_with_live(installation: Installation) -> Iterable[dg.AssetCheckResult]:
    """Compare the candidates with what is live."""
    from orchestration.learning import refresh  # noqa: PLC0415  imports Arrow and numpy

    for name, verdict in refresh.verdicts(installation.lake, installation.settings).items():
        yield _result(name, verdict)


def _result(name: str, verdict: "Verdict") -> dg.AssetCheckResult:
    metadata: dict[str, Any] = {**verdict.figures, "offenders": verdict.offender_count}
    if verdict.offenders:
        metadata["sample"] = table_of(verdict.offenders)
    return dg.AssetCheckResult(
        check_name=name,
        asset_key="threshold_candidates",
        passed=verdict.passed,
        description=verdict.summary,
        metadata=metadata,
    )
