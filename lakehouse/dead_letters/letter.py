"""One dead letter, and how it can be shown without harm."""

import unicodedata
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from sensorlake.errors import DeadLetterError


class Place(NamedTuple):
    """Where the message stands in its topic: a dead letter's id."""

    partition: int
    offset: int

    @classmethod
    def parse(cls, text: str) -> "Place":
        """
        Raises:
            DeadLetterError: the text is not `partition:offset`.
        """
        partition, _, offset = text.partition(":")
        if not (partition.isascii() and partition.isdigit() and offset.isascii() and offset.isdigit()):
            raise DeadLetterError(f"{text!r} is no dead letter's id: it has the form PARTITION:OFFSET, such as 0:17")
        return cls(int(partition), int(offset))

    def __str__(self) -> str:
        return f"{self.partition}:{self.offset}"


@dataclass(frozen=True)
class DeadLetter:
    """A row of the table `dead_letters`; see contracts/schemas/dead_letter.avsc."""

    payload: bytes | None
    key: bytes | None
    dq_reason: str
    source_topic: str
    source_partition: int
    source_offset: int
    replay_count: int
    received_at: datetime
    event_date: date

    @property
    def place(self) -> Place:
        return Place(self.source_partition, self.source_offset)


def described(letter: DeadLetter, most: int) -> str:
    """A letter in a few lines; at most `most` characters of its message."""
    times = "once" if letter.replay_count == 1 else f"{letter.replay_count} times"
    return "\n".join(
        (
            f"id        {letter.place} of {letter.source_topic}",
            # A reason may end with a name out of the message.
            f"reason    {printable(letter.dq_reason.encode(), 200)}",
            f"received  {letter.received_at:%Y-%m-%d %H:%M:%S.%f} UTC",
            f"replayed  {times if letter.replay_count else 'never'}",
            f"key       {'(no key)' if letter.key is None else printable(letter.key, 200)}",
            f"message   {printable(letter.payload, most)}",
        )
    )


def printable(content: bytes | None, most: int | None = None) -> str:
    r"""Bytes of unknown origin as text that no terminal takes for a command.

    What is not UTF-8 becomes `\xff`, control and formatting characters `\x1b` or `\u202e`; at most `most` characters
    of the text are shown.

    >>> printable(b"caf\xc3\xa9 \xff\x1b[31m")
    'café \\xff\\x1b[31m'
    """
    if content is None:
        return "(no value)"
    # A character takes four bytes at most: no more is decoded of a message of megabytes than is shown.
    cut = content if most is None else content[: 4 * most]
    text = cut.decode("utf-8", errors="backslashreplace")
    shown = text if most is None else text[:most]
    safe = "".join(character if _is_harmless(character) else _escaped(character) for character in shown)
    left_out = len(shown) < len(text) or len(cut) < len(content)
    return f"{safe}... ({len(content)} bytes in all)" if left_out else safe


def _is_harmless(character: str) -> bool:
    # Controls, marks of direction, line and paragraph separators, private and unassigned code points.
    return unicodedata.category(character)[0] != "C" and unicodedata.category(character) not in ("Zl", "Zp")


def _escaped(character: str) -> str:
    code = ord(character)
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
