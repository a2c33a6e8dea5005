"""InfluxDB line protocol, written column by column: `measurement,tag=value field=value timestamp`.

Line protocol in bulk is several times faster than point objects. A point's identity is measurement, tags and time, so
writing a line again changes nothing.
"""

from collections.abc import Mapping

import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.compute as pc  # type: ignore[import-untyped]

_SPECIAL = r"[,= \r\n\t\\]"

Column = pa.Array | pa.ChunkedArray


def lines(measurement: str, tags: Mapping[str, Column], fields: Mapping[str, Column], time: Column) -> Column:
    """One line a row; tags and fields that are null are left out. Fields come as text from `number`, `integer` or
    `text`."""
    head = _joined([measurement, *[_pair(name, _tag(values)) for name, values in tags.items()]], ",")
    body = _joined([_pair(name, values) for name, values in fields.items()], ",")
    nanos = pc.multiply(time.cast(pa.timestamp("us", "UTC")).cast(pa.int64()), 1000).cast(pa.string())
    return _joined([head, body, nanos], " ")


def number(values: Column) -> Column:
    """Null where the value is NaN or infinite: InfluxDB knows neither, and refuses the whole request for one of
    them."""
    return pc.if_else(pc.is_finite(values), values.cast(pa.string()), None)


def integer(values: Column) -> Column:
    return pc.binary_join_element_wise(values.cast(pa.string()), "i", "")


def text(values: Column) -> Column:
    escaped = pc.replace_substring_regex(values, r'(["\\])', r"\\\1")
    return pc.binary_join_element_wise('"', escaped, '"', "")


def _joined(parts: list[Column | str], separator: str) -> Column:
    return pc.binary_join_element_wise(*parts, separator, null_handling="skip")


def _pair(name: str, values: Column) -> Column:
    return pc.binary_join_element_wise(f"{name}=", values, "")


def _tag(values: Column) -> Column:
    """A tag's values: commas, blanks and equals signs escaped, line breaks and a closing backslash, which no escape
    saves, replaced; an empty one is left out."""
    if pc.any(pc.match_substring_regex(values, _SPECIAL)).as_py():
        one_line = pc.replace_substring_regex(values, r"[\r\n\t]", "_")
        closed = pc.replace_substring_regex(one_line, r"\\$", "_")
        values = pc.replace_substring_regex(closed, "([,= ])", r"\\\1")
    return pc.if_else(pc.equal(values, ""), None, values)
