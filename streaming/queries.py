"""The queries of the streaming application, one entry a query: where it reads, what it does, how often."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import structlog
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql.streaming import DataStreamWriter, StreamingQuery

from contracts.topics import Topics
from lakehouse import creation, registry, retention, thresholds
from lakehouse.lake import Lake
from lakehouse.postgres import ANSWER_SECONDS
from lakehouse.tables import ANOMALIES, DEAD_LETTERS, FEATURES, READINGS, Table
from sensorlake import connections
from sensorlake.errors import CheckpointError
from sensorlake.settings import Settings
from streaming import alerts, anomalies, checkpoints, limits, metrics, restarting
from streaming.autoencoder import query as autoencoder
from streaming.detect import query as detect
from streaming.detect import seeds
from streaming.detect.champion import ForestFile
from streaming.detect.processor import Detect
from streaming.lake import LakeWriter
from streaming.limits import LimitsFile
from streaming.position import Position
from streaming.sinks.delta import DeltaSink
from streaming.sinks.influxdb import InfluxSink, anomaly_lines
from streaming.sinks.postgres import PostgresSink
from streaming.supervision import concise
from streaming.topics import LARGEST_MESSAGE, cluster_id, id_of

log = structlog.get_logger(__name__)

_SECOND_MICROS = 1_000_000


@dataclass(frozen=True)
class Context:
    """What every query is started with."""

    spark: SparkSession
    settings: Settings
    topics: Topics
    kafka_cluster: str
    limits: LimitsFile
    forest: ForestFile

    @classmethod
    @contextmanager
    def opened(cls, spark: SparkSession, settings: Settings, topics: Topics) -> Iterator["Context"]:
        """What the queries follow of the lake is followed no longer at the end."""
        limits, forest = LimitsFile.of(settings), ForestFile.of(settings)
        try:
            yield cls(spark, settings, topics, cluster_id(settings), limits, forest)
        finally:
            limits.close()
            forest.close()


Start = Callable[[Context], StreamingQuery]


def start_alerts(context: Context) -> StreamingQuery:
    settings, topics = context.settings, context.topics
    _have_limits(context)
    limits.register(context.spark, context.limits.path)
    # The broker answers every 5 ms at most, and not at each message.
    raw = _kafka(context, topics.raw, {"kafka.fetch.min.bytes": "65536", "kafka.fetch.max.wait.ms": "5"})
    rows = alerts.outgoing(raw, topics, settings.max_message_bytes)
    writer = (
        rows.writeStream.format("kafka")
        .options(**connections.kafka_of_spark(settings))
        .option("kafka.max.request.size", str(LARGEST_MESSAGE))
        .outputMode("update")
        .trigger(realTime=f"{settings.alerts_batch_seconds} seconds")
    )
    path = _checkpoint(context, "alerts", topics.raw, f"{topics.anomaly}, {topics.dead_letter}")
    return _start(context, "alerts", path, writer)


def start_detect(context: Context) -> StreamingQuery:
    """To Kafka's own sink: it writes from the tasks that judge. A foreachBatch would plan a second job for each batch
    and hand a few rows through this process. A batch that is repeated writes its alarms again, under the same ids."""
    settings, topics = context.settings, context.topics
    path = seeds.checkpoint(settings, _made_for_topic(context, topics.raw, topics.anomaly))
    restarting.require_messages(settings, seeds.QUERY, topics.raw)
    raw = _kafka(context, topics.raw, _at_most(settings) | seeds.starting_offsets(path))
    numbers = detect.shards(context.spark, settings.detect_shards)
    context.forest.follow()
    forget = settings.detect_forget_hours * 3600 * _SECOND_MICROS
    processor = Detect(seeds.folder(path), forget, context.forest.path)
    rows = detect.alarms(raw, numbers, settings.max_message_bytes, processor)
    writer = (
        rows.writeStream.format("kafka")
        .options(**connections.kafka_of_spark(settings))
        .option("topic", topics.anomaly)
        .outputMode("append")
    )
    with detect.partitions(context.spark, settings.detect_shards):
        return _start(context, "detect", path, _every(writer, settings.detect_trigger_seconds))


def start_lake(context: Context) -> StreamingQuery:
    settings = context.settings
    _have_tables(context, READINGS, DEAD_LETTERS, FEATURES)
    path = _checkpoint(context, "lake", context.topics.raw, settings.lake_bucket)
    _require_progress(Lake.of(settings), path)
    topic_id, read = restarting.noted(settings.checkpoint_dir, "lake", context.topics.raw)
    writer: LakeWriter | None = None

    def write(batch: DataFrame, batch_id: int) -> None:
        # Made at the first batch, as Spark gives a new checkpoint its id only then.
        nonlocal writer
        writer = writer or LakeWriter(
            lake=Lake.of(settings),
            application=checkpoints.application_id(path),
            max_message_bytes=settings.max_message_bytes,
            lateness_micros=settings.lateness_seconds * _SECOND_MICROS,
            remember_micros=settings.remember_seconds * _SECOND_MICROS,
            read=Position(topic_id or "", read),
            keep_days=retention.kept_days(settings),
            every_seconds=settings.lake_trigger_seconds,
        )
        writer(batch, batch_id)

    rows = _kafka(context, context.topics.raw, _at_most(settings) | checkpoints.starting_offsets(path))
    return _start(context, "lake", path, _every(rows.writeStream.foreachBatch(write), settings.lake_trigger_seconds))


def start_autoencoder(context: Context) -> StreamingQuery:
    settings, topics = context.settings, context.topics
    _have_tables(context, FEATURES)
    path = _checkpoint(context, autoencoder.QUERY, settings.lake_bucket, topics.anomaly)
    judging = autoencoder.autoencoder(settings, path)

    def send(rows: DataFrame) -> None:
        kafka = rows.write.format("kafka").options(**connections.kafka_of_spark(settings))
        kafka.option("topic", topics.anomaly).save()

    writer = autoencoder.windows(context.spark, settings.lake_bucket).writeStream.foreachBatch(
        lambda batch, _: autoencoder.judge(batch, judging, send)
    )
    return _start(context, autoencoder.QUERY, path, _every(writer, settings.autoencoder_trigger_seconds))


def start_metrics(context: Context) -> StreamingQuery:
    settings = context.settings
    _have_tables(context, READINGS, FEATURES)
    path = _checkpoint(context, "metrics", settings.lake_bucket, settings.influxdb_bucket)
    sink, lake = InfluxSink(settings), Lake.of(settings)

    def write(batch: DataFrame, _: int) -> None:
        for lines in metrics.pieces(lake, batch):
            sink.write(lines)

    rows = metrics.rows(context.spark, settings.lake_bucket)
    return _start(
        context, "metrics", path, _every(rows.writeStream.foreachBatch(write), settings.metrics_trigger_seconds)
    )


def start_postgres(context: Context) -> StreamingQuery:
    # It may have been away when the application started. While it answers, no other query is started or watched.
    registry.migrate(context.settings, ANSWER_SECONDS)
    sink = PostgresSink(context.settings)
    return _sink(context, "postgres", context.settings.postgres_database, lambda rows, _: sink.write(rows))


def start_influxdb(context: Context) -> StreamingQuery:
    sink = InfluxSink(context.settings)
    return _sink(context, "influxdb", context.settings.influxdb_bucket, lambda rows, _: sink.write(anomaly_lines(rows)))


def start_anomalies(context: Context) -> StreamingQuery:
    settings = context.settings
    _have_tables(context, ANOMALIES)
    path = _checkpoint(context, "anomalies", context.topics.anomaly, settings.lake_bucket)
    sink: DeltaSink | None = None

    def write(rows: pa.Table, batch_id: int) -> None:
        nonlocal sink
        sink = sink or DeltaSink(Lake.of(settings), checkpoints.application_id(path), settings.anomaly_retention_days)
        sink.write(rows, batch_id)

    return _sink(context, "anomalies", settings.lake_bucket, write, settings.lake_trigger_seconds)


# They start in this order, one after the other. A query that reads Delta tables takes seconds to start, for which those
# that bring anomalies to their stores do not wait.
QUERIES: dict[str, Start] = {
    "alerts": start_alerts,
    "detect": start_detect,
    "lake": start_lake,
    "postgres": start_postgres,
    "influxdb": start_influxdb,
    "anomalies": start_anomalies,
    "metrics": start_metrics,
    "autoencoder": start_autoencoder,
}


def _sink(
    context: Context, name: str, target: str, write: Callable[[pa.Table, int], None], every: float | None = None
) -> StreamingQuery:
    """One query from the anomaly topic to one sink, so that a slow sink holds up none but itself.

    Spark reads and counts; the few rows are parsed here, as planning the same in Spark costs more than all else.
    """
    path = _checkpoint(context, name, context.topics.anomaly, target)
    messages = _kafka(context, context.topics.anomaly, _at_most(context.settings)).select("value")
    writer = messages.writeStream.foreachBatch(
        lambda batch, batch_id: write(anomalies.parse(batch.coalesce(1).toArrow()["value"]), batch_id)
    )
    return _start(context, name, path, _every(writer, every or context.settings.sinks_trigger_seconds))


def _kafka(context: Context, topic: str, options: Mapping[str, str]) -> DataFrame:
    reader = (
        context.spark.readStream.format("kafka")
        .options(**connections.kafka_of_spark(context.settings))
        .option("subscribe", topic)
        .option("startingOffsets", "earliest")
        # Messages that retention took before they were read are a loss, and a loss stops the query.
        .option("failOnDataLoss", "true")
        .option("includeHeaders", "true")
        .option("kafka.max.partition.fetch.bytes", str(LARGEST_MESSAGE))
    )
    return reader.options(**options).load()


def _at_most(settings: Settings) -> dict[str, str]:
    """Options of a source whose batches end. Spark asks the broker for the ends of a partition at each poll, and Kafka
    gives 500 records a poll unless told otherwise."""
    return {"maxOffsetsPerTrigger": str(settings.max_records_per_batch), "kafka.max.poll.records": "20000"}


def _have_limits(context: Context) -> None:
    """Limits to judge by, from the lake; while that or the registry cannot be reached, those of the last run."""
    settings, lake = context.settings, Lake.of(context.settings)
    try:
        if not thresholds.has_version(lake):
            registry.migrate(settings, ANSWER_SECONDS)
            thresholds.ensure_first_version(lake, registry.alert_rules(settings))
        context.limits.refresh()
    except Exception as error:
        if not context.limits.path.is_file():
            raise
        log.warning("alerts start with the limits of the last run", error=concise(error))
    context.limits.follow()


def _have_tables(context: Context, *tables: Table) -> None:
    for table in tables:
        creation.ensure(Lake.of(context.settings), table)


def _every(writer: DataStreamWriter, seconds: float) -> DataStreamWriter:
    return writer.trigger(processingTime=f"{round(seconds * 1000)} milliseconds")


def _require_progress(lake: Lake, path: Path) -> None:
    """
    Raises:
        CheckpointError: this checkpoint of the lake query has not begun, and the tables hold what one before it wrote:
            they would get again what Kafka still has.
    """
    if checkpoints.has_begun(path):
        return
    if any("userMetadata" in commit for commit in lake.open(READINGS).history(1000)):
        raise CheckpointError(
            f"query lake: there is no progress in {path}, and the tables in {lake.root} hold readings already; from "
            "the oldest messages on they would be stored again. With the stream stopped, `sensorlake checkpoints "
            "restart lake` goes on after the last message that the tables hold. For tables anew, move readings, "
            "dead_letters and features away, too."
        )


def _checkpoint(context: Context, name: str, source: str, target: str) -> Path:
    is_topic = source in context.topics.all()
    made_for = (_made_for_topic if is_topic else _made_for)(context, source, target)
    path = checkpoints.folder(context.settings.checkpoint_dir, name, made_for)
    if is_topic:
        restarting.require_messages(context.settings, name, source)
    return path


def _made_for(context: Context, source: str, target: str) -> dict[str, str]:
    return {"kafka": context.kafka_cluster, "source": source, "target": target}


def _made_for_topic(context: Context, source: str, target: str) -> dict[str, str]:
    """With the topic's own id, asked for at each start: one that was deleted and made anew counts its messages anew."""
    return _made_for(context, source, target) | {"topic_id": id_of(context.settings, source)}


def _start(context: Context, name: str, path: Path, writer: DataStreamWriter) -> StreamingQuery:
    context.spark.sparkContext.setLocalProperty("spark.scheduler.pool", name)
    return writer.queryName(name).option("checkpointLocation", str(path)).start()
