"""Arrow's form of the records in contracts/schemas, for rows that do not pass through Spark."""

import pyarrow as pa  # type: ignore[import-untyped]

from contracts.avro import field_names, load

_PLAIN = {
    "string": pa.string(),
    "double": pa.float64(),
    "long": pa.int64(),
    "int": pa.int32(),
    "boolean": pa.bool_(),
    "bytes": pa.binary(),
}
_LOGICAL = {"timestamp-micros": pa.timestamp("us", "UTC"), "date": pa.date32()}


def arrow_schema(record: str) -> pa.Schema:
    """The columns of `record`, all nullable: Delta's readers and writers check NOT NULL row by row, at a cost. The
    expectations hold the tables to their records instead.

    >>> arrow_schema("anomaly").field("features").type
    MapType(map<string, double>)
    """
    kinds = (field["type"] for field in load(record)["fields"])
    return pa.schema(list(zip(field_names(record), map(_arrow_type, kinds), strict=True)))


def _arrow_type(kind: object) -> pa.DataType:
    if isinstance(kind, list):
        (kind,) = [member for member in kind if member != "null"]
    if isinstance(kind, dict):
        if kind["type"] == "map":
            return pa.map_(pa.string(), _arrow_type(kind["values"]))
        if kind["type"] == "array":
            return pa.list_(_arrow_type(kind["items"]))
        return _LOGICAL[kind["logicalType"]]
    return _PLAIN[str(kind)]
