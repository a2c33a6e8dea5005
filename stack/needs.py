"""Which servers have to be compiled or fetched on this machine, and whether it can. Standard library only."""

from collections.abc import Mapping

from sensorlake.errors import MissingToolError
from stack import selection, servers, tools


def to_build(environment: Mapping[str, str]) -> list[str]:
    """Which of MinIO and InfluxDB must be compiled: wanted, not on PATH in a fitting version, not cached."""
    have = {"minio": servers.has_minio, "influxdb": servers.has_influxd}
    without = selection.left_out(environment)
    return [name for name, found in have.items() if name not in without and not found()]


def check(environment: Mapping[str, str]) -> None:
    """Refuse at once what would fail ten minutes later.

    Raises:
        MissingToolError: naming every missing tool, how to install it, and the other ways out.
    """
    lacking = {name: tools.missing(tools.NEEDED[name]) for name in to_build(environment)}
    if lacking := {name: lines for name, lines in lacking.items() if lines}:
        raise MissingToolError(tools.explain(lacking))
