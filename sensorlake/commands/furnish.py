"""What senders and the stream expect to find in servers that have just come up."""

from collections.abc import Collection

from sensorlake.settings import Settings


def furnish(settings: Settings, names: Collection[str]) -> None:
    """Have the topics, and the registry with its first rules, in those of the servers `names`."""
    if "kafka" in names:
        from streaming import topics  # noqa: PLC0415  heavy modules are imported where they are needed

        topics.ensure(settings)
    if "postgres" in names:
        from lakehouse import registry  # noqa: PLC0415

        registry.migrate(settings)
