"""What a demo runs, given the services that WITHOUT leaves out: pure decisions, taken before anything starts."""

from collections.abc import Sequence

from sensorlake.errors import StackError

NEEDED = ("kafka", "minio", "postgres")
_WRITES_TO_INFLUXDB = ("metrics", "influxdb")
# The loop in minutes instead of days: windows close 5 s late, and what has lasted so long is normal.
SETTINGS = {
    "LATENESS_SECONDS": "5",
    "SHIFT_MINUTES": "5",
    "DRIFT_MINUTES": "3",
    "RETRY_MINUTES": "1",
    "REFRESH_MINUTES": "3",
}
_QUERIES = ("alerts", "detect", "lake", "metrics", "postgres", "influxdb", "anomalies")


def require(left_out: Sequence[str]) -> None:
    """
    Raises:
        StackError: a service is left out without which there is nothing to show.
    """
    if missing := [name for name in NEEDED if name in left_out]:
        raise StackError(
            f"the demo needs {', '.join(missing)}: readings travel through kafka, their history lies in minio, and "
            "postgres holds the device registry. Only influxdb and dagster can be left out (WITHOUT=influxdb,dagster)."
        )


def queries(left_out: Sequence[str]) -> list[str]:
    """The queries whose servers are there."""
    return [name for name in _QUERIES if not ("influxdb" in left_out and name in _WRITES_TO_INFLUXDB)]


def missing_parts(left_out: Sequence[str]) -> list[str]:
    """What a user does not see, in words; nothing is left out silently."""
    told = {
        "influxdb": "influxdb is left out: no recent metrics to chart (queries metrics and influxdb do not run)",
        "dagster": "dagster is left out: thresholds are not learned, and there are no pages of the lake",
    }
    return [text for name, text in told.items() if name in left_out]
