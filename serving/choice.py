"""Which versions of a model are loaded, and which one answers where none is named."""

from collections.abc import Collection, Mapping

CHAMPION = "champion"
# The newest and the one before it: what was published last is often in shadow, and may have to be taken back.
NEWEST_KEPT = 2


def wanted(published: Collection[int], labels: Mapping[str, int]) -> list[int]:
    """Versions to be loaded: those with a label and the newest; the one that answers by default first."""
    labelled = [version for _, version in sorted(labels.items()) if version in published]
    first = [labels[CHAMPION]] if labels.get(CHAMPION) in published else []
    return list(dict.fromkeys([*first, *sorted(published, reverse=True)[:NEWEST_KEPT], *labelled]))


def default(available: Collection[int], labels: Mapping[str, int], before: int | None) -> int | None:
    """The version that answers where none is named: the champion, or the newest where there is none.

    A champion that cannot be loaded leaves the last one in force (`before`).

    >>> default([1, 2, 3], {"champion": 2}, before=1)
    2
    >>> default([1, 3], {"champion": 2}, before=1)
    1
    >>> default([1, 3], {}, before=1)
    3
    """
    champion = labels.get(CHAMPION)
    if champion in available:
        return champion
    if champion is not None and before in available:
        return before
    return max(available, default=None)
