"""What each part of sensorlake may do in PostgreSQL, where the servers are secured.

The operator owns everything but the schemas of Dagster's storage and of the reports, which belong to who makes
tables in them. The stream adds anomalies and changes no table; reports read what they are made of, and not what devices
are configured with, in which passwords may stand.
"""

from collections.abc import Iterator

from sensorlake.connections import postgres_role

STREAM, ORCHESTRATION = postgres_role("stream"), postgres_role("orchestration")
REPORTING, DASHBOARDS = postgres_role("reporting"), postgres_role("dashboards")

_SCHEMAS = {"dagster": ORCHESTRATION, "reporting": REPORTING}
"""Schema -> who makes tables in it."""

_READ_BY_REPORTS = ("registry.devices", "registry.maintenance", "registry.feedback", "stream.anomalies")
_SWEEPS = ("stream.add_anomalies_month(date)", "stream.drop_anomalies_month(date)")


def statements() -> Iterator[str]:
    """In their order; harmless when done before."""
    for schema, owner in _SCHEMAS.items():
        yield f"create schema if not exists {schema} authorization {owner}"
    yield from _of_the_stream()
    yield from _of_orchestration()
    yield from _of_reports()


def _of_the_stream() -> Iterator[str]:
    yield f"grant usage on schema registry, stream to {STREAM}"
    yield f"grant select on registry.migrations, registry.alert_rules to {STREAM}"
    yield f"grant select, insert on stream.anomalies to {STREAM}"
    yield f"grant select, insert, update on stream.summaries to {STREAM}"


def _of_orchestration() -> Iterator[str]:
    yield f"grant usage on schema registry, stream, facts to {ORCHESTRATION}"
    yield f"grant select on all tables in schema registry, stream to {ORCHESTRATION}"
    yield f"grant insert on registry.feedback to {ORCHESTRATION}"
    yield f"grant insert, update on registry.replays to {ORCHESTRATION}"
    yield f"grant usage on all sequences in schema registry to {ORCHESTRATION}"
    yield f"grant delete on stream.anomalies to {ORCHESTRATION}"
    yield f"grant select, insert, update, delete on all tables in schema facts to {ORCHESTRATION}"
    for function in _SWEEPS:
        # It runs with the rights of the owner of the table, and does this one thing with them.
        yield f"alter function {function} security definer set search_path = pg_catalog, pg_temp"
        yield f"revoke all on function {function} from public"
        yield f"grant execute on function {function} to {ORCHESTRATION}"


def _of_reports() -> Iterator[str]:
    yield f"grant usage on schema registry, stream, facts to {REPORTING}"
    yield f"grant select on {', '.join(_READ_BY_REPORTS)} to {REPORTING}"
    yield f"grant select on all tables in schema facts to {REPORTING}"
    for reader in (ORCHESTRATION, DASHBOARDS):
        yield f"grant usage on schema reporting to {reader}"
        yield f"grant select on all tables in schema reporting to {reader}"
        yield f"alter default privileges for role {REPORTING} in schema reporting grant select on tables to {reader}"
