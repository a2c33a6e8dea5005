"""Spark as the stream uses it: with the pinned jars, a fitting Java and the decoder."""

from pyspark.sql import SparkSession

from lakehouse import session
from sensorlake.settings import Settings
from stack import cache, jars, java
from streaming import validation
from streaming.decoder import jar as decoder_jar


def open_session(settings: Settings, cores: int | None = None) -> SparkSession:
    """Start it; `cores` as in `lakehouse.session.build`."""
    decoder = decoder_jar.ensure(cache.cache_dir() / "jars", java.java_command())
    options = {"spark.python.daemon.module": "streaming.python_daemon"}
    spark = session.build(
        settings, jars.spark_classpath(), java.java_home(), own=[decoder], cores=cores, options=options
    )
    validation.register(spark)
    return spark
