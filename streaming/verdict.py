"""Judges one reading by the limits of its device and metric, which stand in its column `limits`.

    detector     fires where                                      score            threshold
    hard_limit   value < lower or value > upper                   the value        the limit it broke
    z_score      |value - mean| / stddev > z_limit, stddev > 0    that distance    z_limit

A reading that breaks a hard limit is not judged by its z-score as well: one reading, one alert.
"""

from pyspark.sql import Column
from pyspark.sql import functions as F

from streaming.limits import FIGURES

HARD_LIMIT = "hard_limit"
Z_SCORE = "z_score"


def detector() -> Column:
    """Name of the detector that finds the row's value abnormal, or null."""
    return F.when(_below() | _above(), HARD_LIMIT).when(_distance() > F.col("limits.z_limit"), Z_SCORE)


def score(detector: Column) -> Column:
    return F.when(detector == HARD_LIMIT, F.col("value")).otherwise(_distance())


def threshold(detector: Column) -> Column:
    broken = F.when(_below(), F.col("limits.lower")).otherwise(F.col("limits.upper"))
    return F.when(detector == HARD_LIMIT, broken).otherwise(F.col("limits.z_limit"))


def severity(detector: Column) -> Column:
    """critical beyond a hard limit or at twice the z-score allowed, warning otherwise."""
    far = _distance() > 2 * F.col("limits.z_limit")
    return F.when((detector == HARD_LIMIT) | far, "critical").otherwise("warning")


def figures() -> Column:
    """The limits behind the verdict, by name; those that are not set are left out."""
    each = [F.struct(F.lit(name).alias("name"), F.col(f"limits.{name}").alias("figure")) for name in FIGURES]
    entries = F.array(*each)
    return F.map_from_entries(F.filter(entries, lambda entry: entry["figure"].isNotNull()))


def _below() -> Column:
    return F.col("value") < F.col("limits.lower")


def _above() -> Column:
    return F.col("value") > F.col("limits.upper")


def _distance() -> Column:
    return F.when(F.col("limits.stddev") > 0, F.abs(F.col("value") - F.col("limits.mean")) / F.col("limits.stddev"))
