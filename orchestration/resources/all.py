"""The resources of the code location, by the name under which assets ask for them."""

from typing import Any

from orchestration.resources.installation import Installation
from orchestration.resources.spark import Spark
from orchestration.resources.storage import Storage


def resources() -> dict[str, Any]:
    return {"installation": Installation(), "spark": Spark(), "storage": Storage()}
