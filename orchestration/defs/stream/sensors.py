"""What Dagster is told of the stream: a materialization when one of its tables, topics or measurements has grown, and a
check when one of its queries stops or comes back. Nothing is run.

A server that does not answer is named, and the others are reported all the same.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from lakehouse.tables import ANOMALIES, DEAD_LETTERS, FEATURES, READINGS
from orchestration.defs.stream.checks import evaluations
from orchestration.defs.stream.outlets import OUTLETS
from orchestration.defs.stream.registry import REGISTRY
from orchestration.defs.stream.topics import TOPICS
from orchestration.resources.installation import Installation
from orchestration.watching import lake, outlets, query_health
from orchestration.watching.outlets import Outlet
from sensorlake.settings import Settings

# A check that says the same is told again so often, so that its page shows that somebody looks.
_REPEAT_SECONDS = 600
_KNOWN = {spec.key.to_user_string() for spec in (*TOPICS, *OUTLETS, *REGISTRY)}
_SERVERS: Mapping[str, Callable[[Settings], list[Outlet]]] = {
    "Kafka": outlets.topics,
    "InfluxDB": outlets.measurements,
    "PostgreSQL": outlets.tables,
}


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports new versions of the stream's Delta tables, and the health of its queries.",
)
def stream_tables(context: dg.SensorEvaluationContext, installation: Installation) -> dg.SensorResult:
    now = datetime.now(UTC)
    cursor = _cursor(context)
    seen, told = dict(cursor.get("tables", {})), dict(cursor.get("queries", {}))
    events: list[Any] = []
    troubles = []
    for table in (READINGS, DEAD_LETTERS, FEATURES, ANOMALIES):
        news = lake.look(installation.lake, table, seen.get(table.name), now)
        seen[table.name] = news.version
        events += [dg.AssetMaterialization(table.name, metadata=_shown(metadata)) for metadata in news.events]
        if news.trouble:
            troubles.append(news.trouble)
            context.log.warning(news.trouble)
    path = query_health.report_of(installation.settings.data_dir)
    for name, health in query_health.read(path, now).items():
        state, at = told.get(name, (None, 0.0))
        if health.state != state or now.timestamp() - at > _REPEAT_SECONDS:
            events += evaluations(health)
            told[name] = (health.state, now.timestamp())
    return _result(events, troubles, {"tables": seen, "queries": told}, "no table has a new version")


@dg.sensor(
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Reports what is new in Kafka's topics, InfluxDB's measurements and the tables of PostgreSQL.",
)
def stream_servers(context: dg.SensorEvaluationContext, installation: Installation) -> dg.SensorResult:
    marks = dict(_cursor(context).get("marks", {}))
    events: list[Any] = []
    troubles = []
    for server, ask in _SERVERS.items():
        try:
            found = ask(installation.settings)
        except Exception as error:  # each client has errors of its own, and none may hide the other servers
            troubles.append(f"{server} does not answer: {str(error).splitlines()[0][:300] if str(error) else error!r}")
            context.log.warning(troubles[-1])
            continue
        for outlet in found:
            if outlet.asset in _KNOWN and marks.get(outlet.asset) != outlet.mark:
                key = dg.AssetKey.from_user_string(outlet.asset)
                events.append(dg.AssetMaterialization(key, metadata=_shown(outlet.metadata) | _columns(outlet)))
                marks[outlet.asset] = outlet.mark
    return _result(events, troubles, {"marks": marks}, "nothing was written")


def _shown(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Dagster shows times in the reader's own zone, once told that they are times."""
    return {
        name: dg.MetadataValue.timestamp(value) if isinstance(value, datetime) else value
        for name, value in metadata.items()
    }


def _columns(outlet: Outlet) -> dict[str, Any]:
    columns = [
        dg.TableColumn(
            each.name,
            each.type,
            description=each.description,
            constraints=dg.TableColumnConstraints(nullable=each.nullable),
        )
        for each in outlet.columns
    ]
    return {"dagster/column_schema": dg.TableSchema(columns)} if columns else {}


def _cursor(context: dg.SensorEvaluationContext) -> dict[str, Any]:
    try:
        found = json.loads(context.cursor or "{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _result(events: list[Any], troubles: list[str], cursor: Mapping[str, Any], nothing: str) -> dg.SensorResult:
    return dg.SensorResult(
        asset_events=events,
        skip_reason=None if events else dg.SkipReason("; ".join([nothing, *troubles])),
        cursor=json.dumps(cursor),
    )
