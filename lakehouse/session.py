"""One Spark session, set up for Delta on S3-compatible storage and for small machines.

Why each setting: docs/decisions/versions-and-jars.md.
"""

import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from pyspark.sql import SparkSession

from lakehouse import class_archive, jvm_trust
from sensorlake.settings import Settings

# Java's second compiler takes a processor for minutes, as Spark runs so many different pieces of code. It is left to
# those that run most, ten times as often as Java would ask; without it, all would stay half as fast for ever
# (docs/performance.md).
_COMPILER = (
    "-XX:Tier4InvocationThreshold=50000 -XX:Tier4MinInvocationThreshold=6000 -XX:Tier4CompileThreshold=150000 "
    "-XX:Tier4BackEdgeThreshold=400000 -XX:-UseDynamicNumberOfCompilerThreads"
)
# Batches come as large blocks of bytes. By default, and as often by what Java predicts from them, they would start the
# concurrent collector every few seconds, and each time it stops all threads for 30 to 80 ms. A shorter pause would be
# bought with three times as many.
_COLLECTOR = "-XX:+UseG1GC -XX:MaxGCPauseMillis=100 -XX:InitiatingHeapOccupancyPercent=70 -XX:-G1UseAdaptiveIHOP"
_EVERYWHERE = "-XX:+ExitOnOutOfMemoryError -XX:-UsePerfData -Djava.net.preferIPv4Stack=true -Duser.timezone=UTC"
STREAM_JAVA = f"{_COMPILER} {_COLLECTOR} {_EVERYWHERE}"

JAVA_OPTIONS = "spark.driver.extraJavaOptions"
_CONFIG = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    # Delta's default of 50 tasks a commit is meant for logs of millions of files.
    "spark.databricks.delta.snapshotPartitions": "2",
    "spark.sql.adaptive.enabled": "false",
    # A batch holds one or two days: two open files cost less than sorting every row by its day.
    "spark.sql.maxConcurrentOutputFileWriters": "8",
    "spark.scheduler.mode": "FAIR",
    # The queries together compile more than the default of 100 classes; past it each batch would compile its own again.
    "spark.sql.codegen.cache.maxEntries": "2000",
    # A cached batch lives for seconds: compressing it costs more than the memory it saves.
    "spark.sql.inMemoryColumnarStorage.compressed": "false",
    "spark.sql.execution.arrow.pyspark.enabled": "true",
    "spark.sql.streaming.noDataMicroBatches.enabled": "false",
    "spark.sql.streaming.metricsEnabled": "true",
    "spark.sql.streaming.stateStore.providerClass": (
        "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
    ),
    "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    # Hadoop's own local file system forks chmod and readlink for every checkpoint file.
    "spark.hadoop.fs.file.impl": "com.globalmentor.apache.hadoop.fs.BareLocalFileSystem",
    "spark.sql.streaming.checkpointFileManagerClass": (
        "org.apache.spark.sql.execution.streaming.checkpointing.FileSystemBasedCheckpointFileManager"
    ),
    # A query or a step that storage went away from is tried again as a whole (streaming/supervision.py,
    # orchestration/outages.py). By default each request would be tried for minutes first, and there are many of them.
    "spark.hadoop.fs.s3a.retry.limit": "3",
    "spark.hadoop.fs.s3a.retry.interval": "500ms",
    "spark.ui.showConsoleProgress": "false",
    "spark.ui.retainedJobs": "100",
    "spark.ui.retainedStages": "100",
    "spark.sql.ui.retainedExecutions": "50",
    "spark.sql.streaming.ui.retainedQueries": "20",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.redaction.regex": "(?i)secret|password|token|access[.]?key|credential",
}


# For work that ends: large sorts and joins, planned anew as they run, compiled as Java sees fit.
BOUNDED = {
    JAVA_OPTIONS: f"-XX:+UseParallelGC {_EVERYWHERE}",
    "spark.sql.adaptive.enabled": "true",
    "spark.sql.shuffle.partitions": "8",
    "spark.sql.execution.arrow.maxRecordsPerBatch": "200000",
    "spark.ui.enabled": "false",
}


def build(
    settings: Settings,
    classpath: Sequence[Path],
    java_home: Path,
    *,
    own: Sequence[Path] = (),
    cores: int | None = None,
    options: Mapping[str, str] = MappingProxyType({}),
) -> SparkSession:
    """Start a local Spark session.

    Args:
        classpath: the jars beyond pyspark's own (`stack.jars.spark_classpath()`). java_home: a Java 17 or 21
        (`stack.java.java_home()`). own: jars that this repository makes. cores: task slots; `settings.spark_cores`
        unless given. Slots, not processors: real-time mode holds one a partition. options: settings of Spark beyond and
        above those of this module.
    """
    os.environ["JAVA_HOME"] = str(java_home)
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"  # the web page of Spark has no setting for its address
    os.environ["PYSPARK_PYTHON"] = sys.executable
    # Behind all others: the archive of classes stays valid when one of these changes.
    os.environ["SPARK_DIST_CLASSPATH"] = os.pathsep.join(map(str, own))
    builder = (
        SparkSession.builder.appName("sensorlake")
        .master(f"local[{cores or settings.spark_cores}]")
        .config("spark.driver.memory", settings.spark_driver_memory)
        .config("spark.driver.extraClassPath", os.pathsep.join(map(str, classpath)))
        .config("spark.sql.warehouse.dir", str(settings.data_dir.absolute() / "spark-warehouse"))
        .config("spark.local.dir", str(settings.data_dir.absolute() / "spark-local"))
    )
    for name, value in {**_CONFIG, **options}.items():
        builder = builder.config(name, value)
    java = [options.get(JAVA_OPTIONS, STREAM_JAVA), class_archive.flag(classpath, java_home), jvm_trust.flags(settings)]
    builder = builder.config(JAVA_OPTIONS, " ".join(filter(None, java)))
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    _use_storage(spark, settings)
    return spark


def _use_storage(spark: SparkSession, settings: Settings) -> None:
    """Point S3A at the storage. Set on the running session, as settings of the start stand on the command line of the
    JVM, where every user of the machine reads them."""
    hadoop = spark.sparkContext._jsc.hadoopConfiguration()
    for name, value in {
        "fs.s3a.endpoint": settings.s3_endpoint,
        "fs.s3a.endpoint.region": "us-east-1",
        "fs.s3a.access.key": settings.s3_access_key,
        "fs.s3a.secret.key": settings.s3_secret_key.get_secret_value(),
        "fs.s3a.path.style.access": "true",
        "fs.s3a.connection.ssl.enabled": str(settings.s3_endpoint.startswith("https")).lower(),
        "fs.s3a.aws.credentials.provider": "org.apache.hadoop.fs.s3a.SimpleAWSCredentialsProvider",
        "fs.s3a.fast.upload.buffer": "bytebuffer",
        "fs.s3a.directory.marker.retention": "keep",
        "fs.s3a.bucket.probe": "0",
        "fs.s3a.attempts.maximum": "5",
        "fs.s3a.connection.establish.timeout": "5s",
        "fs.s3a.connection.timeout": "20s",
    }.items():
        hadoop.set(name, value)
