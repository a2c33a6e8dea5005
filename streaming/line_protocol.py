"""InfluxDB line protocol, written by Spark: `measurement,tag=value field=value timestamp`.

Line protocol in bulk is several times faster than point objects. A point's identity is measurement, tags and time, so
writing a line again changes nothing.
"""

import sys
from collections.abc import Mapping

from pyspark.sql import Column
from pyspark.sql import functions as F

_SPECIAL = r"[,= \r\n\t\\]"


def line(measurement: str, tags: Mapping[str, Column], fields: Mapping[str, Column], time: Column) -> Column:
    """One line; tags and fields that are null are left out. Fields come as text from `number`, `integer` or `text`."""
    # Nearly no line has anything to escape: one look at all tags together is several times cheaper than one at each.
    unusual = F.concat_ws("", *tags.values()).rlike(_SPECIAL)
    plain = _head(measurement, {name: F.nullif(value, F.lit("")) for name, value in tags.items()})
    head = F.when(unusual, _head(measurement, {name: _escaped(value) for name, value in tags.items()})).otherwise(plain)
    body = F.concat_ws(",", *[_pair(name, value) for name, value in fields.items()])
    return F.concat_ws(" ", head, body, (F.unix_micros(time) * 1000).cast("string"))


def number(value: Column) -> Column:
    """Null where the value is NaN or infinite: InfluxDB knows neither, and refuses the whole request for one of
    them."""
    finite = value.cast("double").between(-sys.float_info.max, sys.float_info.max)
    return F.when(finite, value.cast("double").cast("string"))


def integer(value: Column) -> Column:
    return F.concat(value.cast("bigint").cast("string"), F.lit("i"))


def text(value: Column) -> Column:
    return F.concat(F.lit('"'), F.regexp_replace(value, r'(["\\])', r"\\$1"), F.lit('"'))


def _head(measurement: str, tags: Mapping[str, Column]) -> Column:
    return F.concat_ws(",", F.lit(measurement), *[_pair(name, value) for name, value in tags.items()])


def _pair(name: str, value: Column) -> Column:
    return F.concat(F.lit(f"{name}="), value)


def _escaped(tag: Column) -> Column:
    """A tag's value: commas, blanks and equals signs escaped, line breaks and a closing backslash, which no escape
    saves, replaced; an empty one is left out."""
    one_line = F.regexp_replace(tag, r"[\r\n\t]|\\$", "_")
    return F.nullif(F.regexp_replace(one_line, "([,= ])", r"\\$1"), F.lit(""))
