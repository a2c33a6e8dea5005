"""Sends dead letters back through Kafka, where the stream judges them again.

Letters go in small batches. What is done with each, and what a death at that point leaves:

    1. leave out the letters that registry.replays knows          nothing changed
    2. send the others, original or corrected, with the header    some sent, none recorded: the next run sends at most
       replay_count one higher, and wait for the broker's word    this batch again
    3. record those that the broker confirmed                     done; the next run leaves them out
    4. a letter that was not confirmed ends the run with an       not recorded: the next run sends it
       error, after step 3

A message that is sent twice does no harm: its readings have the same ids, so that the lake counts the second as
duplicates, or the day's enrichment leaves them out. One that fails again is a new dead letter, at a place of its own
and with the higher count; after three tries it is given up: recorded as quarantined, and no longer sent.

The table `dead_letters` belongs to the stream and is only read here.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Protocol

from lakehouse.dead_letters.letter import DeadLetter
from lakehouse.dead_letters.outlet import Outgoing
from lakehouse.dead_letters.patch import Correction, read_object
from lakehouse.registry.replays import Origin, Outcome, Replay
from sensorlake.errors import DeadLetterError

MOST_TRIES = 3
_BATCH = 500
_BATCH_BYTES = 16 * 2**20


class Outlet(Protocol):
    """Sends messages; one entry each: None where it is confirmed, else why not."""

    def send(self, messages: Sequence[Outgoing]) -> list[str | None]: ...


class Ledger(Protocol):
    """What became of letters so far (registry.replays)."""

    def recorded(self, origins: Iterable[Origin]) -> Mapping[Origin, Outcome]: ...

    def record(self, replays: Sequence[Replay]) -> None: ...


@dataclass
class Tally:
    """What a run did, or would do."""

    sent: int = 0
    done_before: int = 0
    """Sent by an earlier run."""
    quarantined: int = 0
    """Given up after three tries, now or earlier."""
    not_patchable: int = 0
    """No JSON object, so that the correction does not apply; not sent."""
    json_objects: int = 0
    """How many of those sent are JSON objects, the others being sure to fail again."""

    def as_dict(self) -> dict[str, int]:
        return asdict(self)

    def sentence(self, *, dry_run: bool) -> str:
        """What happened, for people."""
        parts = [
            f"{self.sent} {'would be sent' if dry_run else 'sent'} ({self.json_objects} of them are JSON objects)",
            f"{self.done_before} were sent before",
            f"{self.quarantined} are quarantined",
        ]
        if self.not_patchable:
            parts.append(f"{self.not_patchable} are no JSON objects and cannot be corrected")
        return "; ".join(parts)


@dataclass(frozen=True)
class Plan:
    """How to replay: at most `limit` messages, at most `rate` a second. Without a correction the bytes go as they
    came."""

    correction: Correction | None = None
    limit: int | None = None
    rate: float = 1000.0
    dry_run: bool = False


def replay(
    letters: Iterable[DeadLetter],
    outlet: Outlet,
    ledger: Ledger,
    plan: Plan,
    *,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Tally:
    """Replay `letters`; a dry run reads the ledger and changes nothing.

    Raises:
        DeadLetterError: the broker did not confirm some message. All that it confirmed is recorded.
    """
    tally, begun = Tally(), clock()
    for batch in _batches(iter(letters), max(1, min(_BATCH, int(plan.rate)))):
        known = ledger.recorded([_origin(letter) for letter in batch])
        tally.done_before += sum(outcome == "sent" for outcome in known.values())
        fresh = [letter for letter in batch if _origin(letter) not in known]
        given_up = [letter for letter in fresh if letter.replay_count >= MOST_TRIES]
        tally.quarantined += len(given_up) + sum(outcome == "quarantined" for outcome in known.values())
        open_ones = [letter for letter in fresh if letter.replay_count < MOST_TRIES]
        outgoing = [(letter, _content(letter, plan.correction)) for letter in open_ones]
        fit = [(letter, message) for letter, message in outgoing if message is not None]
        tally.not_patchable += len(outgoing) - len(fit)
        if plan.limit is not None:
            fit = fit[: plan.limit - tally.sent]
        if not plan.dry_run:
            ledger.record([_record(letter, "quarantined") for letter in given_up])
            _send(fit, outlet, ledger)
        tally.sent += len(fit)
        tally.json_objects += sum(read_object(message.value) is not None for _, message in fit)
        if plan.limit is not None and tally.sent >= plan.limit:
            break
        if fit and not plan.dry_run:
            sleep(max(0.0, begun + tally.sent / plan.rate - clock()))
    return tally


def _send(fit: Sequence[tuple[DeadLetter, Outgoing]], outlet: Outlet, ledger: Ledger) -> None:
    if not fit:
        return
    reasons = outlet.send([message for _, message in fit])
    confirmed = [letter for (letter, _), reason in zip(fit, reasons, strict=True) if reason is None]
    ledger.record([_record(letter, "sent") for letter in confirmed])
    if len(confirmed) < len(fit):
        reason = next(reason for reason in reasons if reason is not None)
        raise DeadLetterError(
            f"the broker did not confirm {len(fit) - len(confirmed)} of {len(fit)} messages ({reason}). Those that it "
            "confirmed are recorded; run the replay again for the others"
        )


def _record(letter: DeadLetter, outcome: Outcome) -> Replay:
    tries = letter.replay_count + 1 if outcome == "sent" else letter.replay_count
    return Replay(_origin(letter), outcome, tries, letter.dq_reason, letter.event_date)


def _content(letter: DeadLetter, correction: Correction | None) -> Outgoing | None:
    if correction is None:
        return Outgoing(letter.payload, letter.key, letter.replay_count + 1)
    corrected = correction.of(letter.payload)
    return None if corrected is None else Outgoing(corrected, letter.key, letter.replay_count + 1)


def _origin(letter: DeadLetter) -> Origin:
    return letter.source_topic, letter.source_partition, letter.source_offset


def _batches(letters: Iterator[DeadLetter], most: int) -> Iterator[list[DeadLetter]]:
    """At most `most` letters and some 16 MiB together, each once: a stream that began anew with another checkpoint
    wrote its dead letters a second time. Across batches the ledger knows them."""
    while batch := list(islice(_until_full(letters), most)):
        yield list({_origin(letter): letter for letter in batch}.values())


def _until_full(letters: Iterator[DeadLetter]) -> Iterator[DeadLetter]:
    size = 0
    while size < _BATCH_BYTES and (letter := next(letters, None)) is not None:
        size += len(letter.payload or b"")
        yield letter
