"""Dead letters without servers: shown safely, found, corrected, and replayed without loss or loops."""

import json
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from hypothesis import given
from hypothesis import strategies as st

from lakehouse import creation
from lakehouse.columns import arrow_schema
from lakehouse.dead_letters import patch, selection, table
from lakehouse.dead_letters.letter import DeadLetter, Place, printable
from lakehouse.dead_letters.patch import Correction, merged
from lakehouse.dead_letters.replay import Plan, replay
from lakehouse.dead_letters.selection import Selection
from lakehouse.lake import Lake
from lakehouse.tables import DEAD_LETTERS
from sensorlake.errors import DeadLetterError, SelectionError

DAY = date(2026, 11, 3)
NOON = datetime(2026, 11, 3, 12, tzinfo=UTC)


def letter(offset, *, payload=b"{}", reason="malformed", tries=0, key=b"pump-1", days=0):
    received = NOON + timedelta(days=days, seconds=offset)
    return DeadLetter(payload, key, reason, "raw", 0, offset, tries, received, received.date())


class Broker:
    """Keeps what it confirms; refuses the values in `refused`."""

    def __init__(self, refused=()):
        self.refused, self.messages = set(refused), []

    def send(self, messages):
        self.messages += [message for message in messages if message.value not in self.refused]
        return ["refused" if message.value in self.refused else None for message in messages]


class Book:
    """A ledger in memory; with `dies` it breaks off instead of recording what was sent."""

    def __init__(self, *, dies=False):
        self.dies, self.rows = dies, {}

    def recorded(self, origins):
        return {origin: self.rows[origin].outcome for origin in origins if origin in self.rows}

    def record(self, done):
        if self.dies and done:
            raise KeyboardInterrupt
        self.rows |= {each.origin: each for each in done}


def run(letters, broker, book, **plan):
    return replay(letters, broker, book, Plan(**plan), clock=lambda: 0.0, sleep=lambda _: None)


# Shown


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (b"plain", "plain"),
        ("21 °C, 泵".encode(), "21 °C, 泵"),
        (b"\xff\xfe\x00", r"\xff\xfe\x00"),
        (b"\x1b[2J\x1b]0;title\x07", r"\x1b[2J\x1b]0;title\x07"),
        ("\u202egnp.exe\n\u2028".encode(), r"\u202egnp.exe\x0a\u2028"),
        ("\x9b31m".encode(), r"\x9b31m"),
        (b"", ""),
        (None, "(no value)"),
    ],
)
def test_a_payload_is_shown_without_harm_to_the_terminal(content, shown):
    assert printable(content) == shown


@given(st.binary(max_size=200), st.integers(1, 50))
def test_whatever_a_payload_holds_what_is_shown_is_printable_and_short(content, most):
    shown = printable(content, most)
    assert shown.isprintable()
    assert len(shown) <= 10 * most + 40


def test_a_long_payload_is_cut_and_says_so():
    assert printable(b"x" * 5_000_000, 10) == "xxxxxxxxxx... (5000000 bytes in all)"


@pytest.mark.parametrize("text", ["", "17", "0:", ":1", "a:b", "0:1:2", "-1:2", "0: 1"])
def test_what_is_no_id_is_refused(text):
    with pytest.raises(DeadLetterError, match="PARTITION:OFFSET"):
        Place.parse(text)
    assert Place.parse("3:17") == Place(3, 17)


# Found


@pytest.fixture
def lake(tmp_path):
    made = Lake(str(tmp_path))
    opened = creation.ensure(made, DEAD_LETTERS)
    letters = [
        letter(1),
        letter(2, reason="wrong_type:value", key=b"a\x1b[0m"),
        letter(3, reason="wrong_type:t"),
        letter(4, days=1, key=None),
        letter(5, days=1),
        letter(6, reason="wrong_typeface", days=2),
    ]
    for some in (letters[::2], letters[1::2]):
        rows = pa.Table.from_pylist([vars(each) for each in some], schema=arrow_schema("dead_letter"))
        write_deltalake(opened, rows, mode="append", partition_by=DEAD_LETTERS.partition)
    return made


def test_they_are_counted_by_reason_and_day(lake):
    found = [(each.day.day, each.reason, each.count, str(each.example)) for each in table.groups(lake, Selection())]
    assert found == [
        (5, "wrong_typeface", 1, "0:6"),
        (4, "malformed", 2, "0:5"),
        (3, "malformed", 1, "0:1"),
        (3, "wrong_type:t", 1, "0:3"),
        (3, "wrong_type:value", 1, "0:2"),
    ]
    assert {each.device for each in table.groups(lake, Selection("wrong_type:value"))} == {r"a\x1b[0m"}


@pytest.mark.parametrize(
    ("asked", "offsets"),
    [
        (Selection(), [1, 2, 3, 4, 5, 6]),
        (Selection("wrong_type"), [2, 3]),
        (Selection("wrong_type:t"), [3]),
        (Selection("malformed", DAY, DAY), [1]),
        (Selection(first_day=DAY + timedelta(days=1)), [4, 5, 6]),
        (Selection(place=Place(0, 5)), [5]),
        (Selection("nothing"), []),
    ],
)
def test_a_selection_takes_what_fits_all_of_it(lake, asked, offsets):
    assert sorted(each.source_offset for each in table.letters(lake, asked)) == offsets


def test_the_newest_come_first(lake):
    assert [each.source_offset for each in table.newest(lake, Selection("malformed"), 2)] == [5, 4]
    assert [each.source_offset for each in table.newest(lake, Selection(), 4)] == [6, 5, 4, 3]


def test_a_lake_without_the_table_says_who_makes_it(tmp_path):
    with pytest.raises(DeadLetterError, match="sensorlake stream"):
        table.groups(Lake(str(tmp_path)), Selection())


def test_days_are_given_one_by_one_or_as_a_span():
    assert selection.between("x", day="2026-11-03") == Selection("x", DAY, DAY)
    assert selection.between(None, first="2026-11-03") == Selection(None, DAY, None)
    for wrong in (
        {"day": "3.11."},
        {"day": "2026-11-03", "last": "2026-11-04"},
        {"first": "2026-11-04", "last": "2026-11-03"},
    ):
        with pytest.raises(DeadLetterError):
            selection.between("x", **wrong)


# Corrected

# The examples in the appendix of RFC 7396.
RFC_7396 = [
    ({"a": "b"}, {"a": "c"}, {"a": "c"}),
    ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
    ({"a": "b"}, {"a": None}, {}),
    ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
    ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
    ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
    ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
    ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
    (["a", "b"], ["c", "d"], ["c", "d"]),
    ({"a": "b"}, ["c"], ["c"]),
    ({"a": "foo"}, None, None),
    ({"a": "foo"}, "bar", "bar"),
    ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
    ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
    ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
]


@pytest.mark.parametrize(("target", "change", "result"), RFC_7396)
def test_a_merge_patch_does_what_the_rfc_says(target, change, result):
    assert merged(target, change) == result


def test_a_correction_changes_what_it_names_and_nothing_else():
    fixed = Correction({"value": 21.5, "meta": {"unit": "°C"}}).of(
        b'{"device_id": "a", "value": "21.5", "meta": {"x": 1}}'
    )
    assert json.loads(fixed) == {"device_id": "a", "value": 21.5, "meta": {"x": 1, "unit": "°C"}}


@pytest.mark.parametrize(
    "payload", [None, b"", b"\xff", b"[1]", b"7", b'{"a"', b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}"]
)
def test_what_is_no_json_object_is_not_corrected(payload):
    assert Correction({"a": 1}).of(payload) is None


def test_half_a_surrogate_pair_survives_a_correction():
    assert json.loads(Correction({"b": 1}).of(b'{"a": "\\ud83d"}')) == {"a": "\ud83d", "b": 1}


def test_times_of_now_are_never_the_same_twice():
    stamped = Correction({}, stamp=True, clock=lambda: 1_793_707_200_000_000)
    times = [json.loads(stamped.of(b"{}"))["timestamp"] for _ in range(3)]
    assert times == [
        "2026-11-03T12:00:00+00:00",
        "2026-11-03T12:00:00.000001+00:00",
        "2026-11-03T12:00:00.000002+00:00",
    ]


@pytest.mark.parametrize("text", ["", "[]", "1", "{", "null"])
def test_a_patch_must_be_an_object(text):
    with pytest.raises(SelectionError, match="no JSON object") as refused:
        patch.parse(text)
    assert refused.value.exit_code == 2


# Replayed


def test_the_bytes_go_as_they_came_with_the_count_one_higher():
    broker, book = Broker(), Book()
    done = run([letter(1, payload=b"\xff\x00"), letter(2, payload=None, key=None, tries=2)], broker, book)
    sent = [(message.value, message.key, message.replay_count) for message in broker.messages]
    assert sent == [(b"\xff\x00", b"pump-1", 1), (None, None, 3)]
    assert (done.sent, done.json_objects) == (2, 0)


def test_what_was_sent_is_not_sent_again():
    broker, book = Broker(), Book()
    letters = [letter(offset) for offset in range(1200)]
    assert run(letters, broker, book).sent == 1200
    again = run([*letters, letter(1200)], broker, book)
    assert (again.sent, again.done_before) == (1, 1200)
    assert len(broker.messages) == 1201


def test_a_letter_that_the_table_holds_twice_is_sent_once():
    broker, book = Broker(), Book()
    far_apart = [letter(1), letter(1), *[letter(offset) for offset in range(2, 700)], letter(1)]
    assert run(far_apart, broker, book).sent == 699
    assert len(broker.messages) == 699


def test_after_three_tries_a_letter_is_given_up():
    broker, book = Broker(), Book()
    letters = [letter(1, tries=3), letter(2, tries=2), letter(3, tries=7)]
    first, second = (run(letters, broker, book) for _ in range(2))
    assert (first.sent, first.quarantined) == (1, 2)
    assert (second.sent, second.quarantined, second.done_before) == (0, 2, 1)
    assert [message.replay_count for message in broker.messages] == [3]


def test_a_death_between_confirmation_and_record_repeats_one_batch_at_most():
    broker, letters = Broker(), [letter(offset) for offset in range(1200)]
    book = Book()
    run(letters[:500], broker, book)
    book.dies = True
    with pytest.raises(KeyboardInterrupt):
        run(letters, broker, book)
    book.dies = False
    run(letters, broker, book)
    sent = [message.value for message in broker.messages]
    assert len(sent) == 1200 + 500
    assert len(book.rows) == 1200


def test_what_the_broker_does_not_confirm_is_an_error_and_is_sent_by_the_next_run():
    letters = [letter(offset, payload=str(offset).encode()) for offset in range(3)]
    book = Book()
    with pytest.raises(DeadLetterError, match="did not confirm 1 of 3"):
        run(letters, Broker(refused=[b"1"]), book)
    broker = Broker()
    assert run(letters, broker, book).sent == 1
    assert [message.value for message in broker.messages] == [b"1"]


def test_a_dry_run_counts_and_changes_nothing():
    broker, book = Broker(), Book()
    letters = [letter(1), letter(2, payload=b"?"), letter(3, tries=3)]
    done = run(letters, broker, book, dry_run=True)
    assert (done.sent, done.json_objects, done.quarantined) == (2, 1, 1)
    assert (broker.messages, book.rows) == ([], {})


def test_a_limit_holds_whatever_the_batches_are():
    broker, book = Broker(), Book()
    letters = [letter(offset) for offset in range(1000)]
    assert [run(letters, broker, book, limit=limit).sent for limit in (3, 600, 900)] == [3, 600, 397]
    assert len(broker.messages) == 1000


def test_a_correction_leaves_out_what_it_cannot_correct():
    broker, book = Broker(), Book()
    done = run([letter(1), letter(2, payload=b"?")], broker, book, correction=Correction({"unit": "K"}))
    assert (done.sent, done.not_patchable) == (1, 1)
    assert [message.value for message in broker.messages] == [b'{"unit": "K"}']
    assert run([letter(2, payload=b"?")], broker, book).sent == 1


@pytest.mark.parametrize(("rate", "waits"), [(1000.0, [0.5, 1.0]), (100.0, [float(second) for second in range(1, 11)])])
def test_it_sends_no_faster_than_asked(rate, waits):
    waited = []
    letters = [letter(offset) for offset in range(1000)]
    replay(letters, Broker(), Book(), Plan(rate=rate), clock=lambda: 0.0, sleep=waited.append)
    assert waited == waits


def test_large_letters_go_in_small_batches():
    sizes = []

    class Counting(Broker):
        def send(self, messages):
            sizes.append(len(messages))
            return super().send(messages)

    run([letter(offset, payload=b"x" * 5_000_000) for offset in range(9)], Counting(), Book())
    assert sizes == [4, 4, 1]
