"""What the registry of models calls their versions."""

from collections.abc import Sequence

from lakehouse.models.registry import ARCHIVED, CHALLENGER, CHAMPION, Standing
from serving import choice


def of(standings: Sequence[Standing]) -> dict[str, int]:
    """The versions of one model that have a name: champion, challenger, and the champion before this one."""
    names = {CHAMPION: choice.CHAMPION, CHALLENGER: choice.CHALLENGER}
    named = {names[each.role]: each.version for each in standings if each.role in names}
    earlier = [each for each in standings if each.role == ARCHIVED and each.was_champion]
    return named | ({choice.PREVIOUS: max(earlier, key=lambda each: each.since).version} if earlier else {})
