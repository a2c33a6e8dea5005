"""Which services a command is about: all, less those left out with WITHOUT, or those named with --only."""

from collections.abc import Iterable, Mapping

from sensorlake.errors import StackError

SERVERS = ("kafka", "minio", "postgres", "influxdb")
NAMES = (*SERVERS, "dagster", "model-server")

# The programs of a name that has several.
_PARTS = {"dagster": ("dagster-code", "dagster-daemon", "dagster")}


def parse(text: str, source: str) -> list[str]:
    """`"kafka, minio"` -> `["kafka", "minio"]`.

    Raises:
        StackError: a name that is no service.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in NAMES]:
        raise StackError(f"{source}: no service is called {', '.join(unknown)}; there are {', '.join(NAMES)}")
    return names


def left_out(environment: Mapping[str, str]) -> list[str]:
    """The services that the variable WITHOUT leaves out."""
    return parse(environment.get("WITHOUT", ""), "WITHOUT")


def chosen(only: str | None, environment: Mapping[str, str]) -> list[str]:
    """The services to start, in their usual order."""
    wanted = parse(only, "--only") if only else list(NAMES)
    without = left_out(environment)
    return [name for name in NAMES if name in wanted and name not in without]


def servers(environment: Mapping[str, str]) -> list[str]:
    """Those of the four servers that WITHOUT does not leave out."""
    return [name for name in chosen(None, environment) if name in SERVERS]


def programs(names: Iterable[str] = NAMES) -> list[str]:
    """The supervised programs of these services.

    >>> programs(["postgres", "dagster"])
    ['postgres', 'dagster-code', 'dagster-daemon', 'dagster']
    """
    return [part for name in names for part in _PARTS.get(name, (name,))]
