"""The registry in a real PostgreSQL: migrations, their tables, their contents."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import pg8000.native
import pytest
from alembic import command
from pydantic import SecretStr
from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError

from contracts import avro
from lakehouse import registry
from lakehouse.registry import AlertRule, database, migration, partitions, seeding
from sensorlake.errors import StackError
from sensorlake.settings import PREFIX, Settings

pytestmark = pytest.mark.integration

COLUMN_TYPES = {"string": "text", "double": "double precision", "long": "bigint", "boolean": "boolean"}
LOGICAL_TYPES = {"timestamp-micros": "timestamp with time zone", "date": "date"}
MIGRATE = "from lakehouse import registry; from sensorlake import settings; registry.migrate(settings.load())"


@pytest.fixture
def empty(stack_settings: Settings) -> Iterator[Settings]:
    """Settings for an empty database of this test's own, which goes when the test ends."""
    from stack import credentials  # noqa: PLC0415 - only where there is a stack

    name = f"registry_{uuid4().hex}"
    admin = pg8000.native.Connection(
        "postgres",
        password=credentials.ensure(stack_settings).postgres_admin_password,
        host=stack_settings.postgres_host,
        port=stack_settings.postgres_port,
        database="postgres",
    )
    try:
        admin.run(f"create database {name} owner {pg8000.native.identifier(stack_settings.postgres_user)}")
        yield stack_settings.model_copy(update={"postgres_database": name})
        admin.run(f"drop database {name} with (force)")
    finally:
        admin.close()


@pytest.fixture
def migrated(empty: Settings) -> Settings:
    registry.migrate(empty)
    return empty


def _run(settings: Settings, statement: str) -> list[Row]:
    with database.transaction(settings) as connection:
        result = connection.execute(text(statement))
        return list(result) if result.returns_rows else []


def _count(settings: Settings, table: str) -> int:
    return int(_run(settings, f"select count(*) from {table}")[0][0])


def test_anomalies_have_the_columns_of_the_contract_and_the_time_of_storing(migrated):
    columns = _run(
        migrated,
        "select column_name, data_type, is_nullable = 'YES' from information_schema.columns "
        "where table_schema = 'stream' and table_name = 'anomalies' order by ordinal_position",
    )
    promised = [_column(field) for field in avro.load("anomaly")["fields"]]
    assert [tuple(column) for column in columns] == [*promised, ("stored_at", "timestamp with time zone", False)]


def test_an_anomaly_that_comes_twice_is_stored_once(migrated):
    store = (
        "insert into stream.anomalies (anomaly_id, device_id, sensor_id, metric, event_time, value, score, threshold, "
        "detector, severity, is_anomaly, detected_at, event_date) values ('id', 'unregistered', 'unregistered', "
        "'temperature', now(), 1, 1, 0, 'hard_limit', 'critical', true, now(), current_date) "
        "on conflict (anomaly_id, event_date) do nothing"
    )
    _run(migrated, store)
    _run(migrated, store)
    assert _count(migrated, "stream.anomalies") == 1


def test_migrating_again_changes_nothing(migrated):
    _run(migrated, "update registry.alert_rules set upper = 70 where metric = 'temperature'")
    _run(migrated, "delete from registry.devices where device_id = 'sim-00000'")
    registry.migrate(migrated)
    assert {rule.metric: rule.upper for rule in registry.alert_rules(migrated)}["temperature"] == 70
    assert _count(migrated, "registry.devices where device_id = 'sim-00000'") == 0


def test_two_processes_may_migrate_at_once(empty):
    environment = os.environ | {
        PREFIX + "POSTGRES_HOST": empty.postgres_host,
        PREFIX + "POSTGRES_PORT": str(empty.postgres_port),
        PREFIX + "POSTGRES_DATABASE": empty.postgres_database,
        PREFIX + "POSTGRES_USER": empty.postgres_user,
        PREFIX + "POSTGRES_PASSWORD": empty.postgres_password.get_secret_value(),
    }
    both = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", MIGRATE], env=environment, stderr=subprocess.PIPE, encoding="utf-8"
        )
        for _ in range(2)
    ]
    complaints = [process.communicate(timeout=60)[1] for process in both]
    assert [process.returncode for process in both] == [0, 0], complaints
    assert _count(empty, "registry.devices") == len(seeding.rows("devices"))


def test_a_migration_that_fails_leaves_nothing_behind(empty, monkeypatch, tmp_path):
    truncated = tmp_path / "limits.json"
    truncated.write_text('[{"metric": "temp', encoding="utf-8")
    with monkeypatch.context() as patch:
        patch.setattr(seeding, "LIMITS", truncated)
        with pytest.raises(ValueError, match="Unterminated"):
            registry.migrate(empty)
    assert _count(empty, "information_schema.schemata where schema_name in ('registry', 'stream')") == 0
    registry.migrate(empty)
    assert _count(empty, "registry.alert_rules") > 0


def test_a_schema_of_a_later_version_is_refused(migrated):
    _run(migrated, "update registry.migrations set version_num = '9999'")
    with pytest.raises(StackError, match=r"not one that this version of sensorlake knows.*9999"):
        registry.migrate(migrated)


def test_a_wrong_password_is_refused_without_being_shown(empty):
    wrong = empty.model_copy(update={"postgres_password": SecretStr("do-not-tell")})
    with pytest.raises(StackError, match=r"refuses the password of user 'sensorlake'") as caught:
        registry.migrate(wrong)
    assert "do-not-tell" not in str(caught.value)


def test_a_missing_database_is_named(empty):
    with pytest.raises(StackError, match=r"has no database 'nowhere'"):
        registry.migrate(empty.model_copy(update={"postgres_database": "nowhere"}))


def test_a_registry_that_was_never_made_is_told_apart_from_one_without_rules(empty):
    with pytest.raises(StackError, match="sensorlake up"):
        registry.alert_rules(empty)


def test_each_known_metric_has_a_rule_for_every_device(migrated):
    rules = {rule.metric: rule for rule in registry.alert_rules(migrated)}
    limits = {row["metric"]: row for row in _limits()}
    assert rules.keys() == limits.keys()
    for metric, rule in rules.items():
        assert rule == AlertRule(
            metric=metric,
            device_id=None,
            lower=limits[metric]["lower"],
            upper=limits[metric]["upper"],
            z_limit=seeding.Z_LIMIT,
            severity="warning" if metric in {"battery", "signal"} else "critical",
            unit=limits[metric]["unit"],
            description=limits[metric]["description"],
            source=limits[metric]["source"],
        )


def test_a_device_has_at_most_one_rule_of_its_own_for_a_metric(migrated):
    add = "insert into registry.alert_rules (metric, device_id, upper) values ('temperature', 'oven-1', 300)"
    _run(migrated, add)
    assert AlertRule("temperature", "oven-1", None, 300.0, None, "critical", None, "", "") in registry.alert_rules(
        migrated
    )
    with pytest.raises(IntegrityError):
        _run(migrated, add)
    with pytest.raises(IntegrityError):
        _run(migrated, "insert into registry.alert_rules (metric, upper) values ('temperature', 300)")


def test_reports_have_devices_configurations_maintenance_and_events_to_join(migrated):
    for name in ("devices", "device_configs", "maintenance", "ops_events"):
        assert _count(migrated, f"registry.{name}") == len(seeding.rows(name))
    assert _count(migrated, "registry.maintenance where started_at > now()") == 0
    assert _count(migrated, "registry.ops_events where event_time > now()") == 0


def test_example_devices_can_be_removed_with_all_that_hangs_on_them(migrated):
    _run(migrated, "delete from registry.devices where is_example")
    assert _count(migrated, "registry.device_configs") == 0
    assert _count(migrated, "registry.maintenance") == 0


def _limits() -> list[dict]:
    return json.loads((avro.FOLDER.parent / "limits.json").read_text("utf-8"))


def _column(field: dict) -> tuple[str, str, bool]:
    """An Avro field as (name, PostgreSQL type, nullable)."""
    kind = field["type"]
    nullable = isinstance(kind, list)
    if nullable:
        (kind,) = [member for member in kind if member != "null"]
    if isinstance(kind, dict):
        kind = LOGICAL_TYPES[kind["logicalType"]] if "logicalType" in kind else "jsonb"
    return field["name"], COLUMN_TYPES.get(kind, kind), nullable


def _anomaly_on(settings: Settings, name: str, day: date) -> None:
    with database.transaction(settings) as connection:
        connection.execute(
            text(
                "insert into stream.anomalies (anomaly_id, device_id, sensor_id, metric, event_time, value, score, "
                "threshold, detector, severity, is_anomaly, detected_at, event_date) values (:name, 'd', 'd', "
                "'temperature', :day, 1, 1, 0, 'hard_limit', 'critical', true, now(), :day)"
            ),
            {"name": name, "day": day},
        )


def _places(settings: Settings) -> dict[str, str]:
    rows = _run(settings, "select anomaly_id, tableoid::regclass::text from stream.anomalies")
    return {name: place.removeprefix("stream.") for name, place in map(tuple, rows)}


def test_anomalies_lie_by_month_and_those_of_a_month_without_partition_move_when_it_is_made(migrated):
    this_month = datetime.now(UTC).date().replace(day=1)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    _anomaly_on(migrated, "new", this_month)
    _anomaly_on(migrated, "late", last_month)
    assert _places(migrated) == {"new": f"anomalies_{this_month:%Y_%m}", "late": "anomalies_default"}
    assert partitions.ensure_anomaly_partitions(migrated) == [f"anomalies_{last_month:%Y_%m}"]
    assert partitions.ensure_anomaly_partitions(migrated) == []
    assert _places(migrated)["late"] == f"anomalies_{last_month:%Y_%m}"


def test_old_anomalies_go_a_month_at_a_time_and_those_outside_the_months_one_by_one(migrated):
    this_month = datetime.now(UTC).date().replace(day=1)
    last_month = (this_month - timedelta(days=1)).replace(day=1)
    partitions.ensure_anomaly_partitions(migrated)
    for name, day in (("ancient", date(2013, 12, 2)), ("old", last_month), ("new", this_month + timedelta(days=1))):
        _anomaly_on(migrated, name, day)
    assert partitions.drop_anomalies_before(migrated, last_month) == ["anomalies_default"]
    assert partitions.drop_anomalies_before(migrated, this_month) == [f"anomalies_{last_month:%Y_%m}"]
    assert partitions.drop_anomalies_before(migrated, this_month + timedelta(days=1)) == []
    assert _places(migrated) == {"new": f"anomalies_{this_month:%Y_%m}"}


def test_anomalies_of_an_older_version_are_carried_over(empty):
    with database.transaction(empty) as connection:
        connection.execute(text("create schema registry"))
        command.upgrade(migration.config(connection), "0003")
    this_month = datetime.now(UTC).date()
    _anomaly_on(empty, "recent", this_month)
    _anomaly_on(empty, "ancient", date(2013, 12, 2))
    registry.migrate(empty)
    assert _places(empty) == {"recent": f"anomalies_{this_month:%Y_%m}", "ancient": "anomalies_default"}
