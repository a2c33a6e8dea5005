"""Which versions of a model are loaded, and which one answers where none is named."""

from collections.abc import Collection, Mapping

CHAMPION, CHALLENGER, PREVIOUS = "champion", "challenger", "previous"
# What was published last may not stand in the registry yet.
NEWEST_KEPT = 2


def wanted(published: Collection[int], named: Mapping[str, int]) -> list[int]:
    """Versions to be loaded: the champion first, those with another name, the newest."""
    newest = sorted(published, reverse=True)[:NEWEST_KEPT]
    in_turn = [named.get(CHAMPION), named.get(PREVIOUS), named.get(CHALLENGER), *newest]
    return list(dict.fromkeys(version for version in in_turn if version is not None and version in published))


def default(available: Collection[int], named: Mapping[str, int], before: int | None) -> int | None:
    """The version that answers where none is named: the champion, or the newest where there never was one.

    Where the champion cannot be loaded the last one stays in force, or the one before it: never one that has not been
    promoted.

    >>> default([1, 2, 3], {"champion": 2}, before=1)
    2
    >>> default([1, 3], {"champion": 2}, before=1)
    1
    >>> default([1, 3], {"champion": 2, "previous": 1}, before=None)
    1
    >>> default([3], {"champion": 2}, before=None) is None
    True
    >>> default([1, 3], {}, before=1)
    3
    """
    if CHAMPION not in named:
        return max(available, default=None)
    in_turn = [named[CHAMPION], before, named.get(PREVIOUS)]
    return next((version for version in in_turn if version is not None and version in available), None)
