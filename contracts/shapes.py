"""Shapes derived from the Avro schemas: Spark DDL, JSON Schema.

    >>> spark_ddl("device_event").split(", ")[0]
    'event_id STRING NOT NULL'

JSON carries timestamps as ISO 8601 text in UTC with microseconds; dead letters never travel as JSON.
"""

from dataclasses import dataclass
from typing import Any

from contracts.avro import load
from sensorlake.errors import ContractError

_SPARK = {
    "string": "STRING",
    "double": "DOUBLE",
    "long": "BIGINT",
    "int": "INT",
    "boolean": "BOOLEAN",
    "bytes": "BINARY",
}
_SPARK_LOGICAL = {"timestamp-micros": "TIMESTAMP", "date": "DATE"}
_JSON = {"string": "string", "double": "number", "long": "integer", "int": "integer", "boolean": "boolean"}
_JSON_LOGICAL = {"timestamp-micros": "date-time", "date": "date"}


@dataclass(frozen=True)
class Column:
    """One field of a record as a column of a table; `type` in Spark's words."""

    name: str
    type: str
    nullable: bool
    description: str | None


def columns(name: str) -> list[Column]:
    """The columns of record `name`, in the order of the Avro fields."""
    found = []
    for field in load(name)["fields"]:
        kind, nullable = _split_null(field["type"])
        found.append(Column(field["name"], _spark_type(kind), nullable, field.get("doc")))
    return found


def spark_ddl(name: str) -> str:
    """The Spark schema of record `name` as a DDL string."""
    return ", ".join(f"{each.name} {each.type}{'' if each.nullable else ' NOT NULL'}" for each in columns(name))


def json_schema(name: str) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a message that carries record `name`."""
    record = load(name)
    properties: dict[str, Any] = {}
    required = []
    for field in record["fields"]:
        kind, nullable = _split_null(field["type"])
        shape = _json_type(kind)
        properties[field["name"]] = {"anyOf": [shape, {"type": "null"}]} if nullable else shape
        if not nullable and "default" not in field:
            required.append(field["name"])
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": record["name"],
        "description": record["doc"],
        "type": "object",
        "properties": properties,
        "required": required,
    }


def _split_null(kind: Any) -> tuple[Any, bool]:
    if not isinstance(kind, list):
        return kind, False
    (other,) = [member for member in kind if member != "null"]
    return other, True


def _spark_type(kind: Any) -> str:
    if isinstance(kind, str) and kind in _SPARK:
        return _SPARK[kind]
    if isinstance(kind, dict) and kind.get("logicalType") in _SPARK_LOGICAL:
        return _SPARK_LOGICAL[kind["logicalType"]]
    if isinstance(kind, dict) and kind["type"] == "map":
        return f"MAP<STRING, {_spark_type(kind['values'])}>"
    if isinstance(kind, dict) and kind["type"] == "array":
        return f"ARRAY<{_spark_type(kind['items'])}>"
    raise ContractError(f"no Spark type for Avro type {kind!r}")


def _json_type(kind: Any) -> dict[str, Any]:
    if isinstance(kind, str) and kind in _JSON:
        return {"type": _JSON[kind]}
    if isinstance(kind, dict) and kind.get("logicalType") in _JSON_LOGICAL:
        return {"type": "string", "format": _JSON_LOGICAL[kind["logicalType"]]}
    if isinstance(kind, dict) and kind["type"] == "map":
        return {"type": "object", "additionalProperties": _json_type(kind["values"])}
    if isinstance(kind, dict) and kind["type"] == "array":
        return {"type": "array", "items": _json_type(kind["items"])}
    raise ContractError(f"no JSON type for Avro type {kind!r}")
