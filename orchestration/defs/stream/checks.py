"""Whether the query of the stream that writes an asset runs.

The sensor `stream_tables` reports the same check whenever its answer changes; run by hand, it answers as of now.
"""

from datetime import UTC, datetime

import dagster as dg

from orchestration.resources.installation import Installation
from orchestration.watching import query_health
from orchestration.watching.query_health import Health

NAME = "query_runs"
# Three queries write the topic of the anomalies, so that two of them need checks of other names.
_OWN_NAME = {"detect": "detectors_run", "autoencoder": "autoencoder_runs"}


def name_of(query: str) -> str:
    """The check of one asset that its writing query runs."""
    return _OWN_NAME.get(query, NAME)


def _check(asset: str, query: str) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=dg.AssetKey.from_user_string(asset),
        name=name_of(query),
        description=f"The stream's query `{query}`, which writes this, runs.",
    )
    def runs(installation: Installation) -> dg.AssetCheckResult:
        path = query_health.report_of(installation.settings.data_dir)
        health = query_health.read(path, datetime.now(UTC))[query]
        return dg.AssetCheckResult(passed=health.runs, metadata=health.metadata, description=health.reason)

    return runs


CHECKS = [_check(asset, query) for query, assets in query_health.WRITES.items() for asset in assets]


def evaluations(health: Health) -> list[dg.AssetCheckEvaluation]:
    """What the check says of each asset that this query writes."""
    return [
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey.from_user_string(asset),
            check_name=name_of(health.query),
            passed=health.runs,
            metadata=health.metadata,
            description=health.reason,
        )
        for asset in query_health.WRITES[health.query]
    ]
