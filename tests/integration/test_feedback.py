"""An operator's verdict in a real PostgreSQL, by the command that gives it."""

from collections.abc import Iterator
from uuid import uuid4

import pytest
from sqlalchemy import text
from typer.testing import CliRunner

from lakehouse.registry import database, feedback, migrate
from sensorlake import command_line
from sensorlake.errors import FeedbackError
from sensorlake.settings import PREFIX, Settings

pytestmark = pytest.mark.integration


@pytest.fixture
def anomaly(stack_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The id of an anomaly that goes when the test ends."""
    name = uuid4().hex
    monkeypatch.setenv(PREFIX + "DATA_DIR", str(stack_settings.data_dir))
    migrate(stack_settings)
    with database.transaction(stack_settings) as connection:
        connection.execute(
            text(
                "insert into stream.anomalies (anomaly_id, device_id, sensor_id, metric, event_time, value, score, "
                "threshold, detector, severity, is_anomaly, features, detected_at, event_date) values (:name, 'pump', "
                "'pump', 'temperature', now(), 90, 90, 85, 'hard_limit', 'critical', true, '{}', now(), "
                "(now() at time zone 'UTC')::date)"
            ),
            {"name": name},
        )
    yield name
    with database.transaction(stack_settings) as connection:
        for table in ("stream.anomalies", "registry.feedback"):
            connection.execute(text(f"delete from {table} where anomaly_id = :name"), {"name": name})


def test_the_latest_verdict_counts_and_an_unknown_anomaly_is_refused(stack_settings: Settings, anomaly: str) -> None:
    run = CliRunner().invoke(command_line.app, ["feedback", anomaly, "true", "--by", "ada"])
    assert run.exit_code == 0, run.output
    assert f"{anomaly}: a real anomaly, says ada" in run.output
    assert feedback.latest(stack_settings, [anomaly]) == {anomaly: True}
    run = CliRunner().invoke(command_line.app, ["feedback", anomaly, "false", "--note", "the door was open"])
    assert run.exit_code == 0, run.output
    assert feedback.latest(stack_settings)[anomaly] is False
    with database.transaction(stack_settings) as connection:
        query = text("select verdict, note from registry.feedback where anomaly_id = :name order by feedback_id")
        rows = connection.execute(query, {"name": anomaly}).all()
    assert [tuple(row) for row in rows] == [(True, ""), (False, "the door was open")]
    with pytest.raises(FeedbackError, match="no anomaly 'nonsense'"):
        feedback.give(stack_settings, "nonsense", real=True, by="ada")
