"""Messages that a parser may trip over, after the ideas of the public JSON test suites and of this wire format's own
edges: some written down, the rest made of them by chance. The same seed gives the same messages."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.payload_literals import (
    BYTES,
    ENCODINGS,
    MICROS,
    NO_NUMBERS,
    NUMBERS,
    OTHERS,
    STRUCTURES,
    TEXTS,
    times,
)

RECEIVED = datetime(2026, 11, 3, 12, 0, 0, tzinfo=UTC)
LARGEST = 100_000


def messages(count: int, seed: int) -> list[bytes | None]:
    """`count` messages: those that are written down, and as many made by chance as are missing."""
    chance = random.Random(seed)  # noqa: S311 - not a secret
    found: list[bytes | None] = [None, *_written_down()]
    while len(found) < count:
        found.append(chance.choice(MAKERS)(chance))
    return found[:count]


def written(fields: dict[str, Any]) -> bytes:
    """An object whose values are literals already."""
    parts = [json.dumps(name).encode() + b":" + _bytes(value) for name, value in fields.items()]
    return b"{" + b",".join(parts) + b"}"


def single() -> dict[str, Any]:
    return {
        "device_id": '"pump-1"',
        "sensor_id": '"pump-1-t"',
        "timestamp": f'"{RECEIVED.isoformat()}"',
        "metric": '"temperature"',
        "value": "21.5",
        "meta": '{"unit":"K","location":"hall 3"}',
    }


def multi() -> dict[str, Any]:
    return {
        "device_id": '"pump-1"',
        "timestamp": str(MICROS),
        "temperature": "20.5",
        "pressure": "1013",
        "location": '"x"',
    }


def _bytes(literal: str | bytes) -> bytes:
    return literal if isinstance(literal, bytes) else literal.encode("utf-8", "surrogatepass")


def _written_down() -> Iterator[bytes]:
    yield from STRUCTURES
    literals = [*NUMBERS, *NO_NUMBERS, *OTHERS, *TEXTS, *BYTES, *(f'"{time}"' for time in times())]
    for base in (single(), multi()):
        whole = written(base)
        for name in [*base, "unit", "location", "sensor_id", "metric", "value", "meta", "extra", ""]:
            yield written({field: value for field, value in base.items() if field != name})
            for literal in literals:
                yield written(base | {name: literal})
        for literal in (*TEXTS, *BYTES):  # as a name, which may be that of a field twice
            yield whole[:-1] + b"," + _bytes(literal) + b":1}"
            yield whole[:-1] + b"," + _bytes(literal) + b":true}"
            yield whole[:-1] + b',"meta2":{' + _bytes(literal) + b":" + _bytes(literal) + b"}}"
        for seconds in (-7 * 86_400, 0, 300):
            for micros in (-1_000_001, -1_000_000, -1001, -1000, -1, 0, 1, 1000, 1001, 1_000_000):
                at = MICROS + seconds * 1_000_000 + micros
                yield from (written(base | {"timestamp": text}) for text in _spelt(at))
        for encoding in ENCODINGS:
            yield whole.decode().encode(encoding)
        yield from (whole[:place] for place in range(len(whole)))
        yield from (
            whole + tail for tail in (b" ", b"\n", b"\x00", b"x", b",", b"}", b"{}", whole, b"\xef\xbb\xbf", b"//")
        )
        for depth in (10, 997, 998, 999, 1000, 1001, 1002, 20_000):
            for opened, closed in ((b"[", b"]"), (b'{"a":', b"}")):
                middle = b"1" if closed == b"}" else b""
                yield whole[:-1] + b',"x":' + opened * depth + middle + closed * depth + b"}"
                yield whole[:-1] + b',"x":' + opened * depth
        for size in (512, 513, 5000, 49_999, 50_000, 50_001, 60_000):
            for name in (b"k" * size, "ä".encode() * (size // 2)):
                yield whole[:-1] + b',"' + name + b'":1}'
                yield whole[:-1] + b',"x":{"' + name + b'":1}}'
        for size in (LARGEST - 1, LARGEST, LARGEST + 1):
            room = size - len(whole)
            yield whole + b" " * room
            yield whole[:-1] + b',"location2":null' + b" " * (room - 17) + b"}"
        yield whole[:-1] + b"," + b",".join(b'"m%d":%d' % (place, place) for place in range(2000)) + b"}"


def _spelt(micros: int) -> Iterator[str]:
    """One time in each way of writing it; as seconds with the fraction that a double holds."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=micros)
    yield str(micros)
    yield repr(micros / 1e6)
    yield str(micros // 1000)
    yield repr(micros / 1000)
    yield f'"{moment.isoformat()}"'
    yield f'"{(moment + timedelta(hours=5, minutes=30)).isoformat()[:-6]}+05:30"'
    yield f'"{(moment - timedelta(hours=18)).isoformat(" ")[:-6]}-1800"'


def _literal(chance: random.Random) -> str | bytes:
    pool = chance.choice((NUMBERS, NUMBERS, NO_NUMBERS, OTHERS, TEXTS, TEXTS, BYTES))
    return chance.choice(pool)


def _number(chance: random.Random) -> str:
    kind = chance.randrange(4)
    if kind == 0:
        return repr(chance.uniform(-1, 1) * 10.0 ** chance.randrange(-330, 308))
    if kind == 1:
        return f"{chance.choice(('', '-'))}{chance.getrandbits(chance.randrange(1, 120))}"
    if kind == 2:
        return f"{chance.randrange(-99, 99)}.{chance.randrange(10**9)}e{chance.randrange(-340, 340)}"
    return "".join(chance.choice("0123456789+-.eE") for _ in range(chance.randrange(1, 9)))


def _time(chance: random.Random) -> str:
    kind = chance.randrange(4)
    if kind == 0:
        return _number(chance)
    if kind == 1:
        text = list(f"2026-11-03T12:00:00.{chance.randrange(10**6)}+01:00")
        text[chance.randrange(len(text))] = chance.choice("0123456789:-+TZ .x")
        return json.dumps("".join(text)[: chance.choice((99, 99, 16, 19, 22))])
    at = MICROS + chance.choice((0, 300_000_000, -7 * 86_400_000_000)) + chance.randrange(-(10**7), 10**7)
    return chance.choice(list(_spelt(at)))


def _valid(chance: random.Random) -> bytes:
    text = json.dumps("".join(chance.choice("abz09-_.:/ ä水🔧\x00\n\"\\'") for _ in range(chance.randrange(1, 12))))
    at = chance.choice(list(_spelt(MICROS - chance.randrange(10**11))))
    number = repr(chance.uniform(-1e6, 1e6))
    if chance.random() < 0.5:
        fields = single() | {"device_id": text, "value": number, "timestamp": at}
    else:
        fields = multi() | {"device_id": text, "timestamp": at, "m" * chance.randrange(1, 5): number}
    names = list(fields)
    chance.shuffle(names)
    return written({name: fields[name] for name in names})


def _changed_fields(chance: random.Random) -> bytes:
    fields = chance.choice((single, multi))()
    for _ in range(chance.randrange(1, 4)):
        name = chance.choice([*single(), *multi(), "unit", "", "ä", "x" * 513])
        kind = chance.randrange(5)
        if kind == 0:
            fields.pop(name, None)
        elif kind == 1:
            fields[name] = _number(chance)
        elif name == "timestamp" or kind == 2:
            fields[name] = _time(chance)
        else:
            fields[name] = _literal(chance)
    return written(fields)


def _changed_bytes(chance: random.Random) -> bytes:
    damaged = bytearray(_valid(chance))
    for _ in range(chance.randrange(1, 4)):
        place = chance.randrange(len(damaged))
        damaged[place : place + chance.randrange(3)] = chance.choice(
            (chance.randbytes(chance.randrange(3)), chance.choice(b'{}[]",:\\0 \n').to_bytes(1, "big"), b"\\u00")
        )
    return bytes(damaged)


def _cut(chance: random.Random) -> bytes:
    one, other = _valid(chance), _changed_fields(chance)
    return one[: chance.randrange(len(one) + 1)] + other[chance.randrange(len(other) + 1) :]


def _encoded(chance: random.Random) -> bytes:
    return _valid(chance).decode().encode(chance.choice(ENCODINGS), "replace")


def _anything(chance: random.Random) -> bytes:
    def value(depth: int) -> bytes:
        kind = chance.randrange(4 if depth < 4 else 2)
        if kind < 2:
            return _bytes(_literal(chance))
        inner = [value(depth + 1) for _ in range(chance.randrange(4))]
        if kind == 2:
            return b"[" + b",".join(inner) + b"]"
        return b"{" + b",".join(b'"%d":%s' % (place % 3, each) for place, each in enumerate(inner)) + b"}"

    return written(single() | {chance.choice(("x", "meta", "value", "device_id")): value(0)})


def _noise(chance: random.Random) -> bytes:
    return chance.randbytes(chance.randrange(40))


MAKERS = (
    _valid,
    _valid,
    _changed_fields,
    _changed_fields,
    _changed_bytes,
    _changed_bytes,
    _cut,
    _encoded,
    _anything,
    _noise,
)
