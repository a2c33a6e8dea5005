"""The Avro files beside this module, read and parsed: the one source of every shape.

>>> field_names("reading")[:3]
['reading_id', 'device_id', 'sensor_id']
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from sensorlake.errors import ContractError

FOLDER = Path(__file__).parent / "schemas"


@cache
def load(name: str) -> dict[str, Any]:
    """The Avro record schema `name`, for example "reading".

    Raises:
        ContractError: no such schema; the message lists those there are.
    """
    path = FOLDER / f"{name}.avsc"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in FOLDER.glob("*.avsc")))
        raise ContractError(f"no schema {name!r} in contracts/schemas; there are: {known}")
    schema: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return schema


def text(name: str) -> str:
    """The schema as JSON text, as Spark's Avro functions take it."""
    return json.dumps(load(name))


def field_names(name: str) -> list[str]:
    return [field["name"] for field in load(name)["fields"]]
