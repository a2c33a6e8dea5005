"""A trickle of broken messages and of readings sent twice, so that the demo shows what becomes of them: pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from edge.block import Block

# One broken message of each kind in turn; what the stream says of each stands in its dead letter.
BROKEN = (
    b'{"sensor_id":"demo-broken","timestamp":"2026-01-01T00',
    b'{"sensor_id":"demo-broken","metric":"temperature","value":20.5}',
    b'{"sensor_id":"demo-broken","timestamp":"yesterday","metric":"temperature","value":20.5}',
    b'{"sensor_id":"demo-broken","timestamp":"2020-01-01T00:00:00Z","metric":"temperature","value":20.5}',
    b'{"sensor_id":"demo-broken","timestamp":"2026-01-01T00:00:00Z","metric":"temperature","value":"warm"}',
    b"\xff\xfe\x00 not text at all",
)
_KEY = b"demo-broken"
_ONE_READING = b'{"sensor_id"'


@dataclass
class Mischief:
    """Adds to every `one_in` messages one that is broken and one that was sent before."""

    one_in: int
    broken: int = 0
    repeated: int = 0
    _seen: int = field(default=0, init=False)

    def among(self, blocks: Iterator[Block]) -> Iterator[Block]:
        """The blocks, and behind some of them one more, whose `readings` counts its broken messages too."""
        for block in blocks:
            yield block
            due = (self._seen + len(block.payloads)) // self.one_in - self._seen // self.one_in
            self._seen += len(block.payloads)
            if due:
                yield self._extra(block, due)

    def _extra(self, block: Block, count: int) -> Block:
        again = _singles(block.payloads)[:count]
        broken = [BROKEN[(self.broken + number) % len(BROKEN)] for number in range(count)]
        self.broken += len(broken)
        self.repeated += len(again)
        payloads = broken + [block.payloads[place] for place in again]
        keys = [_KEY] * len(broken) + [block.keys[place] for place in again]
        due = np.full(len(payloads), block.due[-1], dtype=np.int64)
        return Block(keys, payloads, due, np.ones(len(payloads), np.int64), np.zeros(len(payloads), np.bool_))


def _singles(payloads: Sequence[bytes]) -> list[int]:
    """Places of messages that hold exactly one reading."""
    return [place for place, payload in enumerate(payloads) if payload.startswith(_ONE_READING)]
