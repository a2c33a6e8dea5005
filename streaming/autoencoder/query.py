"""The query `autoencoder`: windows of the table features -> alarms of the LSTM autoencoder in the anomaly topic.

1. alarms are written to Kafka       a crash before: the batch is repeated, by a memory that is read anew
2. series in alarm are noted         a crash before: an alarm that lasts is raised again, under the same id unless newer
                                     windows have come meanwhile
3. Spark commits the batch

A model server that does not answer fails the batch before all of that: it is repeated when the query starts again.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from detection.models import lstm_autoencoder
from detection.models.remote import RemoteScorer, Server
from detection.models.sequences import KIND
from lakehouse.lake import Lake
from lakehouse.models.in_force import Held, InForce
from lakehouse.models.store import ONNX_FILE, ModelStore
from lakehouse.tables import FEATURES
from sensorlake.settings import Settings
from streaming.autoencoder import history, outgoing
from streaming.autoencoder.judging import Autoencoder, Scorer

QUERY = "autoencoder"
_DDL = "key BINARY, value BINARY"
_FILES_A_BATCH = "20"


def windows(spark: SparkSession, bucket: str) -> DataFrame:
    """The windows that models look at, from now on; what was there before is read when it is needed."""
    reader = spark.readStream.format("delta").option("maxFilesPerTrigger", _FILES_A_BATCH)
    reader = reader.option("startingVersion", "latest").option("ignoreDeletes", "true")
    return reader.load(FEATURES.path(bucket)).where(F.col("window_kind") == KIND).select(*history.COLUMNS)


def autoencoder(settings: Settings, checkpoint: Path) -> Autoencoder:
    lake = Lake.of(settings)
    in_force = InForce(lake, ModelStore.of(settings), settings.data_dir.absolute() / "run" / "models")
    return Autoencoder(
        lake,
        in_force,
        lambda held: scorer(settings, held),
        alarms=checkpoint / "alarms.json",
        alarm_at=settings.autoencoder_alarm_score,
        seconds=settings.autoencoder_seconds,
    )


def scorer(settings: Settings, held: Held) -> Scorer:
    """Scores by this version, in this process or on the model server.

    Raises:
        ModelServerError: the server does not answer, or does not hold the version yet.
    """
    manifest = held.manifest
    if settings.model_scoring == "server":
        server = Server(settings.model_server_url, settings.model_server_token.get_secret_value())
        remote = RemoteScorer(server, manifest.name, manifest.parameters, version=manifest.version)
        remote.require()
        return remote
    return lstm_autoencoder.Scorer(held.folder / ONNX_FILE, manifest.parameters)


def judge(batch: DataFrame, judging: Autoencoder, write: Callable[[DataFrame], None]) -> None:
    """One batch, in the steps above; `write` puts rows of key and value into the topic."""
    # Not read at all without a champion.
    found = judging.judge(lambda: batch.coalesce(1).toArrow())
    if found:
        now = datetime.now(UTC)
        messages = [outgoing.message(alarm, now) for alarm in found]
        write(batch.sparkSession.createDataFrame(messages, _DDL))
    judging.keep()
