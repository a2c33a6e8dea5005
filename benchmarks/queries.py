"""Which queries a benchmark runs: a choice that the user made, and the servers that it needs."""

from collections.abc import Iterable, Sequence

from sensorlake.errors import SettingsError
from streaming.queries import QUERIES

ALL = tuple(QUERIES)

# A query whose source is filled by others needs one of these; the others read the raw topic.
_FED_BY = {
    "postgres": ("alerts", "detect"),
    "influxdb": ("alerts", "detect"),
    "anomalies": ("alerts", "detect"),
    "metrics": ("lake",),
    "autoencoder": ("lake",),
}
# PostgreSQL holds the registry, which every stream looks at.
_ALWAYS = ("kafka", "postgres")
_SERVERS = {
    "alerts": ("minio",),
    "lake": ("minio",),
    "anomalies": ("minio",),
    "autoencoder": ("minio",),
    "metrics": ("minio", "influxdb"),
    "influxdb": ("influxdb",),
}


def chosen(text: str) -> tuple[str, ...]:
    """`"all"`, or `"alerts,postgres"` -> `("alerts", "postgres")`, in the stream's own order.

    Raises:
        SettingsError: a name that is no query, or a query that would wait for one that does not run.
    """
    names = {name.strip() for name in text.split(",") if name.strip()}
    if names == {"all"}:
        return ALL
    if not names or (unknown := sorted(names - set(ALL))):
        wrong = ", ".join(unknown) if names else "nothing"
        raise SettingsError(f"--queries: no query is called {wrong}; there are {', '.join(ALL)}, or all")
    for name in names:
        sources = _FED_BY.get(name, ())
        if sources and not names.intersection(sources):
            raise SettingsError(
                f"--queries: {name} reads what {' or '.join(sources)} writes, so alone it would have nothing to do: "
                f"name {' or '.join(sources)} too"
            )
    return tuple(name for name in ALL if name in names)


def servers(queries: Iterable[str]) -> list[str]:
    """The servers that these queries talk to, in their usual order."""
    wanted = {*_ALWAYS, *(server for name in queries for server in _SERVERS.get(name, ()))}
    return [name for name in ("kafka", "minio", "postgres", "influxdb") if name in wanted]


def told(queries: Sequence[str]) -> str:
    """A choice in words."""
    return "all queries" if set(queries) == set(ALL) else ", ".join(queries)
