"""A shard's fleet in Spark's state store: a snapshot now and then, and the readings of each batch since.

    head       where the journal stands (`Head`)
    snapshot   part -> bytes       the fleet after step `snapshot_sequence`, in parts
    steps      sequence -> bytes   the readings of each step since (streaming.detect.step)

The fleet of ten thousand devices is tens of megabytes; to write it at every batch would cost more than to judge. A
fleet is a function of its steps, so a batch writes its readings alone, and the Python worker keeps the fleet at hand
for the next batch. It belongs to the state in the store exactly if its token does: a hash over all that the fleet was
given, chained from step to step. A worker that had another shard meanwhile, saw a batch fail, or has just started,
takes the steps that it lacks, or begins at the snapshot.
"""

from collections.abc import Iterable
from dataclasses import astuple, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any, Protocol

import structlog

from detection import fleet_bytes
from detection.ensemble import Ensemble
from detection.fleet import Fleet
from sensorlake.errors import CheckpointError
from streaming.detect import step

log = structlog.get_logger(__name__)

PART_BYTES = 4 << 20
MOST_STEPS = 240
"""Between two snapshots: what a restart judges again."""
LEAST_BYTES = 1 << 20
"""Fewer bytes of steps than this are no reason for a snapshot."""


class Value(Protocol):
    """A value in the state store; the names are Spark's."""

    def get(self) -> tuple[Any, ...] | None: ...
    def update(self, newValue: tuple[Any, ...]) -> None: ...  # noqa: N803


class Map(Protocol):
    """A map in the state store."""

    def getValue(self, key: tuple[Any, ...]) -> tuple[Any, ...] | None: ...  # noqa: N802
    def updateValue(self, key: tuple[Any, ...], value: tuple[Any, ...]) -> None: ...  # noqa: N802
    def clear(self) -> None: ...


@dataclass(frozen=True)
class Head:
    """sequence, token: of the last step. The last snapshot was made after step `snapshot_sequence`; its size, and that
    of the steps since, in bytes."""

    sequence: int = 0
    token: bytes = b""
    snapshot_sequence: int = 0
    snapshot_bytes: int = 0
    steps_bytes: int = 0

    @property
    def parts(self) -> int:
        return -(-self.snapshot_bytes // PART_BYTES)

    @property
    def is_long(self) -> bool:
        """The steps since the snapshot are so many or so large that a new one is cheaper to begin from."""
        steps = self.sequence - self.snapshot_sequence
        return steps >= MOST_STEPS or self.steps_bytes > max(self.snapshot_bytes, LEAST_BYTES)


@dataclass(frozen=True)
class Known:
    """A fleet, and the step after which it stands."""

    fleet: Fleet
    sequence: int
    token: bytes


class Journal:
    """The journal of one shard; which one, Spark says at each call."""

    def __init__(self, head: Value, snapshot: Map, steps: Map, *, ensemble: Ensemble, forget_micros: int) -> None:
        self._head, self._snapshot, self._steps = head, snapshot, steps
        self._ensemble = ensemble
        self._forget_micros = forget_micros

    def open(self, at_hand: Known | None, seed: Path) -> Known:
        """The shard's fleet as the store has it. `at_hand`: what this process had of it last, which is used up.
        `seed`: the bytes of a fleet to begin from, where the store has nothing and there is such a file."""
        stored = self._head.get()
        if stored is None:
            given = seed.read_bytes() if seed.is_file() else b""
            return Known(_fleet(self._ensemble, given), 0, _chained(given))
        head = Head(*stored)
        if at_hand is not None and (caught_up := self._caught_up(at_hand, head)) is not None:
            return caught_up
        fleet = restored(
            self._ensemble,
            (_content(self._snapshot, part) for part in range(head.parts)),
            (_content(self._steps, number) for number in range(head.snapshot_sequence + 1, head.sequence + 1)),
        )
        return Known(fleet, head.sequence, head.token)

    def append(self, opened: Known, content: bytes) -> Known:
        """Write the step that the opened fleet has just taken."""
        stored = self._head.get()
        head = Head(*stored) if stored else Head()
        head = replace(
            head,
            sequence=opened.sequence + 1,
            token=_chained(opened.token, content),
            steps_bytes=head.steps_bytes + len(content),
        )
        # A fleet that was there before the store had anything came from a seed, which may be gone tomorrow.
        if head.is_long or (stored is None and opened.token != _chained()):
            head = self._with_snapshot(head, opened.fleet)
        else:
            self._steps.updateValue((head.sequence,), (content,))
        self._head.update(astuple(head))
        return Known(opened.fleet, head.sequence, head.token)

    def _with_snapshot(self, head: Head, fleet: Fleet) -> Head:
        before = newest(fleet) - self._forget_micros
        token = _chained(head.token, b"%d" % before) if fleet.forget_before(before) else head.token
        content = fleet_bytes.dump(fleet)
        self._steps.clear()
        self._snapshot.clear()
        for number, start in enumerate(range(0, len(content), PART_BYTES)):
            self._snapshot.updateValue((number,), (content[start : start + PART_BYTES],))
        return Head(head.sequence, token, head.sequence, len(content), 0)

    def _caught_up(self, at_hand: Known, head: Head) -> Known | None:
        """The fleet at hand after the steps that it lacks; None where those are gone or it took others."""
        if not head.snapshot_sequence <= at_hand.sequence <= head.sequence:
            return None
        missing = [_content(self._steps, number) for number in range(at_hand.sequence + 1, head.sequence + 1)]
        token = at_hand.token
        for content in missing:
            token = _chained(token, content)
        if token != head.token:
            return None
        _take(at_hand.fleet, missing)
        return Known(at_hand.fleet, head.sequence, head.token)


def restored(ensemble: Ensemble, snapshot: Iterable[bytes], steps: Iterable[bytes]) -> Fleet:
    """The fleet of a journal, from the parts of its snapshot and the steps since.

    Raises:
        CheckpointError: a later version made the snapshot.
    """
    fleet = _fleet(ensemble, b"".join(snapshot))
    _take(fleet, steps)
    return fleet


def newest(fleet: Fleet) -> int:
    """The time of the newest reading of all, microseconds since 1970; 0 without one."""
    return max((int(cohort.state["last"].max()) for cohort in fleet.cohorts.values()), default=0)


def _fleet(ensemble: Ensemble, stored: bytes) -> Fleet:
    """The fleet of these bytes; one that knows no device where there are none."""
    if not stored:
        return Fleet(ensemble)
    try:
        return fleet_bytes.load(
            ensemble, stored, lambda names: log.warning("detectors of another version begin anew", detectors=names)
        )
    except fleet_bytes.UnknownFormatError as error:
        raise CheckpointError(
            f"query detect: {error}; a later version of sensorlake wrote them. Start that version to go on. With the "
            "stream stopped, `sensorlake checkpoints restart detect` begins a new checkpoint and says where."
        ) from None


def _take(fleet: Fleet, steps: Iterable[bytes]) -> None:
    for content in steps:
        readings, clock = step.load(content)
        fleet.judge(readings)
        fleet.silent(readings, clock)


def _content(stored: Map, key: int) -> bytes:
    found = stored.getValue((key,))
    if found is None:
        raise LookupError(f"the journal of a shard lacks entry {key}: its checkpoint is damaged")
    return bytes(found[0])


def _chained(token: bytes = b"", content: bytes = b"") -> bytes:
    return blake2b(token + content, digest_size=16).digest()
