"""A day's readings, once by id, with what the registry knows of their devices: pure, `DataFrame -> DataFrame`."""

from pyspark.sql import Column, DataFrame, SparkSession, Window
from pyspark.sql import functions as F

from contracts.avro import field_names
from contracts.detectors import learned
from detection.detectors.missing import Missing
from lakehouse.tables import ENRICHED_READINGS
from orchestration.transforms.registry_facts import RegistryFacts

_IDENTITY = ("device_id", "metric", "event_time", "sensor_id")


def enrich(readings: DataFrame, anomalies: DataFrame, facts: RegistryFacts) -> DataFrame:
    """Rows in the shape of contracts/schemas/enriched_reading.avsc, each device's together and in order of time.

    A reading that came again after the stream had forgotten it is in `readings` twice; the one that arrived first
    counts.
    """
    spark = readings.sparkSession
    first = _first_of_each(readings)
    # A silence has the time of the last reading before it, a window that of its end.
    of_readings = anomalies.where((F.col("detector") != learned(Missing.name)) & F.col("window_start").isNull())
    judged = of_readings.groupBy("device_id", "metric", "event_time").agg(F.count("*").cast("int").alias("anomalies"))
    known = first.join(judged, ["device_id", "metric", "event_time"], "left")
    known = known.join(F.broadcast(_devices(spark, facts)), "device_id", "left")
    known = known.withColumn("location", F.coalesce("location", "registered_location"))
    event = _last(F.col("events"))
    if facts.locations.num_rows:
        places = spark.createDataFrame(facts.locations)
        known = known.join(F.broadcast(places), "location", "left")
        event = F.greatest(event, _last(F.col("location_events")))
    if facts.everywhere:
        listed = [
            F.struct(F.lit(at).alias("event_time"), F.lit(kind).alias("event_type")) for at, kind in facts.everywhere
        ]
        event = F.greatest(event, _last(F.array(*listed)))
    now = F.col("event_time")
    configuration = F.filter("configurations", lambda held: (held["valid_from"] <= now) & (now < held["valid_to"]))
    maintenance = F.filter("maintenance", lambda held: (held["started_at"] <= now) & (now < held["ended_at"]))
    found = (
        known.withColumn(
            "configuration", F.when(F.size("configurations") > 0, F.try_element_at(configuration, F.lit(1)))
        )
        .withColumn("held", F.when(F.size("maintenance") > 0, F.try_element_at(maintenance, F.lit(1))))
        .withColumn("event", event)
    )
    columns = {
        "registered": F.coalesce("registered", F.lit(False)),
        "interval_seconds": F.col("configuration.interval_seconds"),
        "firmware": F.col("configuration.firmware"),
        "in_maintenance": F.col("held").isNotNull(),
        "maintenance_kind": F.col("held.kind"),
        "event_type": F.col("event.event_type"),
        "anomalies": F.coalesce("anomalies", F.lit(0)),
        "delay_seconds": F.col("received_at").cast("double") - now.cast("double"),
    }
    return found.select(*[columns.get(name, F.col(name)).alias(name) for name in field_names(ENRICHED_READINGS.record)])


def _first_of_each(readings: DataFrame) -> DataFrame:
    """One shuffle by device serves the sort, the join with anomalies and the order in the files."""
    arrival = Window.partitionBy(*_IDENTITY).orderBy("received_at", "source_partition", "source_offset")
    numbered = readings.repartition("device_id").withColumn("arrival", F.row_number().over(arrival))
    return numbered.where("arrival = 1").drop("arrival")


def _devices(spark: SparkSession, facts: RegistryFacts) -> DataFrame:
    registered = spark.createDataFrame(facts.devices).withColumn("registered", F.lit(True))
    if not facts.others.num_rows:
        return registered
    return registered.union(spark.createDataFrame(facts.others).withColumn("registered", F.lit(False)))


def _last(events: Column) -> Column:
    """The last event in the hour up to the reading, as (event_time, event_type); null where there is none."""
    now = F.col("event_time")
    recent = F.filter(
        events, lambda event: (event["event_time"] <= now) & (event["event_time"] > now - F.expr("interval 1 hour"))
    )
    return F.when(F.size(events) > 0, F.array_max(recent))
