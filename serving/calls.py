"""Paths of TensorFlow Serving's REST API, by its own patterns (http_rest_api_util.cc)."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from serving.refusal import invalid, not_found

_WHICH = r"(?:/versions/(?P<version>\d+)|/labels/(?P<label>[^/:]+))?"
_POST = re.compile(rf"/v1/models/(?P<model>[^/:]+){_WHICH}:(?P<verb>classify|regress|predict)", re.IGNORECASE)
_GET = re.compile(rf"/v1/models(?:/(?P<model>[^/:]+))?{_WHICH}(?:/(?P<verb>metadata))?", re.IGNORECASE)
_LARGEST_VERSION = 2**63 - 1


@dataclass(frozen=True)
class Call:
    """`verb`: predict, classify, regress, metadata or status. At most one of `version` and `label` is given."""

    model: str
    verb: str
    version: int | None = None
    label: str | None = None


def parse(method: str, path: str) -> Call:
    """
    Raises:
        RefusalError: that is no call of the API.
    """
    if not path.lower().startswith("/v1/"):
        raise not_found(f"No such path: {path}")
    found = {"POST": _POST, "GET": _GET}[method].fullmatch(path) if method in ("POST", "GET") else None
    if found is None:
        raise invalid(f"Malformed request: {method} {path}")
    if not found["model"]:
        raise invalid("Missing model name in request.")
    version = int(found["version"]) if found["version"] else None
    if version is not None and version > _LARGEST_VERSION:
        raise invalid(f"Failed to convert version: {found['version']} to numeric.")
    label = unquote(found["label"]) if found["label"] else None
    return Call(unquote(found["model"]), (found["verb"] or "status").lower(), version, label)
