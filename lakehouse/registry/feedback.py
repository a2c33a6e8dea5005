"""What operators said of anomalies: the table `registry.feedback`. The latest verdict on each one counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text

from lakehouse.registry.database import transaction
from sensorlake.errors import FeedbackError
from sensorlake.settings import Settings


@dataclass(frozen=True)
class Verdict:
    """real: was it an anomaly? False: a false alarm."""

    anomaly_id: str
    real: bool
    given_by: str
    given_at: datetime
    note: str


def give(settings: Settings, anomaly_id: str, *, real: bool, by: str, note: str = "") -> Verdict:
    """Write a verdict; earlier ones on the same anomaly stay, and count no more.

    Raises:
        FeedbackError: there is no such anomaly.
        StackError: PostgreSQL does not answer.
    """
    with transaction(settings) as connection:
        known = text("select 1 from stream.anomalies where anomaly_id = :anomaly limit 1")
        if connection.execute(known, {"anomaly": anomaly_id}).first() is None:
            raise FeedbackError(
                f"there is no anomaly {anomaly_id!r} in PostgreSQL's table stream.anomalies: its id has 32 letters and "
                "digits, and stands there, in InfluxDB, in the lake and in every message"
            )
        given = connection.execute(
            text(
                "insert into registry.feedback (anomaly_id, verdict, given_by, note) "
                "values (:anomaly, :real, :by, :note) returning given_at"
            ),
            {"anomaly": anomaly_id, "real": real, "by": by, "note": note},
        )
        return Verdict(anomaly_id, real, by, given.scalar_one(), note)


def latest(settings: Settings, anomaly_ids: Iterable[str] | None = None) -> dict[str, bool]:
    """The verdict that counts on each anomaly that was judged, or on those named: is it real?"""
    query = (
        "select distinct on (anomaly_id) anomaly_id, verdict from registry.feedback "
        "where cast(:wanted as text[]) is null or anomaly_id = any(cast(:wanted as text[])) "
        "order by anomaly_id, given_at desc, feedback_id desc"
    )
    wanted = None if anomaly_ids is None else list(anomaly_ids)
    with transaction(settings) as connection:
        return {row.anomaly_id: row.verdict for row in connection.execute(text(query), {"wanted": wanted})}
