"""From bytes on the wire to fields with types: what a message says, before anyone judges it.

The fields stay variants, as only a variant still knows that `"5"` was text and `5` a number; Spark's plain JSON readers turn the
one into the other, and a sensor that sends text for numbers would go unnoticed.

Each step is a projection of its own, as Spark computes an expression again wherever it is mentioned within one projection, and
here each would mention the last several times. For the same reason nothing may *filter* on a decoded column before the rows
are cached, exploded or joined: Spark would push the filter, with a copy of all decoding, below it.
"""

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

# Names that describe a message; in a message of many metrics every other field is a metric.
DESCRIBING = ("device_id", "sensor_id", "timestamp", "location", "unit", "meta")

# Spark's JSON reader stops after the first value and says nothing about what follows. Between `[` and this end mark the message
# is one element of an array of two, so that anything behind the message breaks the array.
_END = '{"$end":0}'
_NAMES = (*DESCRIBING, "metric", "value", "$end")
_ONE = "array<struct<" + ",".join(f"`{name}`:variant" for name in _NAMES) + ">>"
_MANY = "map<string,variant>"
_STRICT = {"allowSingleQuotes": "false"}


def decode(raw: DataFrame, max_message_bytes: int) -> DataFrame:
    """Kafka rows plus `oversize`, `whole` (one JSON object, nothing behind it), `single` (one metric) and for each name of
    DESCRIBING and for `metric` and `value` the variant under its name behind `field.`, for many metrics a map `many`."""
    text = F.col("value").cast("string")
    oversize = F.coalesce(F.length("value") > max_message_bytes, F.lit(False))
    parsed = raw.withColumns(
        {
            "oversize": oversize,
            "parsed": F.when(~oversize, F.from_json(_between_marks(text), _ONE, _STRICT)),
        }
    )
    first, last = F.get("parsed", F.lit(0)), F.get("parsed", F.lit(1))
    split = parsed.withColumns(
        {
            "whole": F.coalesce(F.is_valid_utf8(text) & first.isNotNull() & last["$end"].isNotNull(), F.lit(False)),
            "field": first,
        }
    )
    single = F.col("field.metric").isNotNull() | F.col("field.value").isNotNull()
    return split.withColumns(
        {
            "single": F.coalesce(single, F.lit(False)),
            "many": F.when(F.col("whole") & ~single, F.from_json(text, _MANY, _STRICT)),
        }
    ).drop("parsed")


def kind(field: Column) -> Column:
    """The type of what a variant holds, as Spark names it: STRING, BIGINT, DOUBLE, DECIMAL(3,1), BOOLEAN, OBJECT<..>, ARRAY<..>,
    VOID (JSON null), or null where the field is absent."""
    return F.schema_of_variant(field)


def is_text(kind: Column) -> Column:
    return kind == "STRING"


def is_number(kind: Column) -> Column:
    return kind.rlike("^(BIGINT|DECIMAL|DOUBLE)")


def is_absent(kind: Column) -> Column:
    """No such field, or JSON null: a device that says it has no value."""
    return F.coalesce(kind == "VOID", F.lit(True))


def text(field: Column, its_kind: Column) -> Column:
    """The text in a variant; null where it holds anything else or the empty text, which names nothing."""
    return F.when(is_text(its_kind), F.nullif(F.try_variant_get(field, "$", "string"), F.lit("")))


def number(field: Column, its_kind: Column) -> Column:
    """The number in a variant as double (NaN and infinities included); null where it holds anything else."""
    return F.when(is_number(its_kind), F.try_variant_get(field, "$", "double"))


def member(field: Column, name: str) -> Column:
    """What stands under a name in an object, as text; null where there is no such name or no object."""
    return F.try_variant_get(field, f"$.{name}", "string")


def _between_marks(text: Column) -> Column:
    return F.concat(F.lit("["), text, F.lit(f",{_END}]"))
