"""What a demo runs, given the services that WITHOUT leaves out: pure decisions, taken before anything starts."""

from collections.abc import Sequence
from typing import Any

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
    # Should drift ask for training meanwhile, it takes no minutes either.
    "TRAINING_DEVICES": "40",
    "TRAINING_SEQUENCES": "600",
    "TRAINING_EPOCHS": "2",
}
# Models that are trained in a minute, on a simulated fleet: in a demo no series sends long enough to learn from.
TRAINING: dict[str, Any] = {
    "ops": {
        "training_set": {
            "config": {"source": "generated", "devices": 40, "minutes": 40, "interval_seconds": 2.0},
        },
        "lstm_autoencoder": {
            "config": {"encoder": [16, 8], "decoder": [8, 16], "epochs": 2, "most_sequences": 600},
        },
        "model_evaluation": {"config": {"rounds": 60, "most_rows": 3000}},
    }
}
_BESIDE = ("dagster", "model-server")
_QUERIES = ("alerts", "detect", "lake", "postgres", "influxdb", "anomalies", "metrics", "autoencoder")


def require(left_out: Sequence[str]) -> None:
    """
    Raises:
        StackError: a service is left out without which there is nothing to show.
    """
    if missing := [name for name in NEEDED if name in left_out]:
        raise StackError(
            f"the demo needs {', '.join(missing)}: readings travel through kafka, their history lies in minio, and "
            "postgres holds the device registry. Only influxdb, dagster and model-server can be left out "
            "(WITHOUT=influxdb,dagster)."
        )


def queries(left_out: Sequence[str]) -> list[str]:
    """The queries whose servers are there."""
    return [name for name in _QUERIES if not ("influxdb" in left_out and name in _WRITES_TO_INFLUXDB)]


def beside(left_out: Sequence[str]) -> list[str]:
    """What starts while readings flow. Without Dagster there are no models to serve."""
    return [name for name in _BESIDE if name not in left_out] if "dagster" not in left_out else []


def missing_parts(left_out: Sequence[str]) -> list[str]:
    """What a user does not see, in words; nothing is left out silently."""
    told = {
        "influxdb": "influxdb is left out: no recent metrics to chart (queries metrics and influxdb do not run)",
        "dagster": "dagster is left out: no thresholds are learned, no models trained, no pages of the lake",
        "model-server": "model-server is left out: models are trained, and nobody serves them",
    }
    return [text for name, text in told.items() if name in left_out]
