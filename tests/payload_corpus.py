"""Messages that a parser may trip over, after the ideas of the public JSON test suites and of this wire format's own
edges: some written down, the rest made of them by chance. The same seed gives the same messages."""

import json
import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

RECEIVED = datetime(2026, 11, 3, 12, 0, 0, tzinfo=UTC)
MICROS = round(RECEIVED.timestamp() * 1_000_000)
LARGEST = 100_000

NUMBERS = [
    *("0", "-0", "-0.0", "0.0", "1", "-1", "10", "1e0", "1E+2", "1e-2", "1.5e3", "0e9", "0e-999", "-0e999"),
    *("2147483647", "2147483648", "-2147483649", "9007199254740993", "9223372036854775807", "9223372036854775808"),
    *("-9223372036854775808", "-9223372036854775809", "18446744073709551616", "123456789012345678901234567890"),
    *("1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308", "-1.8e308", "1e309", "1e400"),
    *("4.9e-324", "2.4e-324", "2.5e-324", "2.2250738585072011e-308", "2.2250738585072014e-308", "1e-400"),
    *("0.1", "0.30000000000000004", "3.141592653589793238462643383279", "1e999999999", "1e-999999999"),
    *("1e2147483648", "-1e99999999999999999999", "0.000001", "100000000000000000000000.5", "5e-1", "0.1e1"),
    *("1" * 309, "1" * 999, "1" * 1000, "1" * 1001, "-" + "9" * 1000, "0." + "1" * 999, "0." + "1" * 1000),
    *("1" * 400 + "e-390", "1e" + "0" * 997 + "1", "1e" + "0" * 999 + "1", "0." + "0" * 400 + "1e401"),
]
NO_NUMBERS = [
    *("NaN", "-NaN", "+NaN", "nan", "NAN", "Infinity", "-Infinity", "+Infinity", "INF", "-INF", "+INF", "inf", "-inf"),
    *(
        "infinity",
        "Infinityx",
        "NaN1",
        "+1",
        "01",
        "-01",
        "00",
        "1.",
        ".5",
        "-.5",
        "1.e1",
        "1e",
        "1e+",
        "1E-",
        "-",
        "+",
    ),
    *("0x1F", "0b1", "1_000", "1,5", "1 000", "1f", "1d", "1L", "1/2", "--1", "1e1.5", "1.2.3", "٣", "１", "½", "∞"),  # noqa: RUF001
    *("True", "TRUE", "nul", "nulll", "undefined", "None", "'1'", "`1`", "<1>", "(1)", "1;", "@", "\\u0031"),
]
OTHERS = ["null", "true", "false", '""', '"1"', '"x"', "[]", "{}", "[1]", '{"a":1}', "[[[[]]]]", '{"a":{"a":[{}]}}']
TEXTS = [
    *('"a"', '"pump-1"', '"ä"', '"水-🔧"', '"\\u00e4"', '"\\ud83d\\udd27"', '"\\uD83D\\uDD27"', '"\\ud83d"'),
    *(
        '"\\udd27"',
        '"\\udd27\\ud83d"',
        '"\\ud83d\\ud83d\\udd27"',
        '"\\ud83dx"',
        '"\\ud83d\\n"',
        '"\\u0000"',
        '"\\u001f"',
    ),
    *('"\\uffff"', '"\\ufeff"', '"\\u202e"', '"\ufeff"', '"\u2028"', '"\x7f"', '"\x80"', '"\uffff"', '"\U0010ffff"'),
    *('"\\/\\b\\f\\n\\r\\t\\"\\\\"', '"\\a"', '"\\u12"', '"\\u12G4"', '"\\U0001f527"', '"\\x41"', '"\\\'"', '"\\'),
    *('"\t"', '"\n"', '"\x00"', '"\x1f"', '" "', '"  a  "', '"a,b=c d"', '"NaN"', '"null"', '"{\\"a\\":1}"', '"\\\\"'),
    *('"e\u0301"', '"\u200b"', '"..//../etc/passwd"', '"\'; DROP TABLE readings; --"', '"%s%n"', '"${jndi:x}"'),
    *(f'"{"p" * size}"' for size in (511, 512, 513, 5000)),
    *(f'"{"🔧" * size}"' for size in (255, 256, 257)),
    *('"' + "\\u00e4" * size + '"' for size in (512, 513)),
]
BYTES = [
    *(
        b'"\x80"',
        b'"\xbf"',
        b'"\xc0\x80"',
        b'"\xc1\xbf"',
        b'"\xc0\xaf"',
        b'"\xc3"',
        b'"\xc3("',
        b'"\xe2\x82"',
        b'"\xe2(\xa1"',
    ),
    *(b'"\xe0\x80\x80"', b'"\xe0\x9f\xbf"', b'"\xed\xa0\x80"', b'"\xed\xbf\xbf"', b'"\xed\xa0\xbd\xed\xb4\xa7"'),
    *(b'"\xf0\x80\x80\x80"', b'"\xf0\x8f\xbf\xbf"', b'"\xf0\x9f\x94"', b'"\xf4\x90\x80\x80"', b'"\xf5\x80\x80\x80"'),
    *(b'"\xf7\xbf\xbf\xbf"', b'"\xf8\x88\x80\x80\x80"', b'"\xfc\x84\x80\x80\x80\x80"', b'"\xfe"', b'"\xff"', b'"\xe4"'),
    *(b'"\xef\xbb\xbf"', b'"\xef\xbf\xbe"', b'"\xf4\x8f\xbf\xbf"', b'"\xed\x9f\xbf"', b'"\xee\x80\x80"'),
]
ENCODINGS = [
    *("utf-16", "utf-16-le", "utf-16-be", "utf-32", "utf-32-le", "utf-32-be", "utf-7", "latin-1", "cp1252"),
    *("utf-8-sig", "cp037", "cp1026"),
]
STRUCTURES = [
    *(
        b"",
        b" ",
        b"\n",
        b"\x00",
        b"\xef\xbb\xbf",
        b"\xef\xbb\xbf{}",
        b"\xef\xbb\xbf\xef\xbb\xbf{}",
        b"\xff\xfe",
        b"\xfe\xff",
    ),
    *(
        b"{",
        b"}",
        b"[",
        b"]",
        b"[]",
        b"{}",
        b"{}{}",
        b"{} {}",
        b"{}\n{}",
        b"{},",
        b",{}",
        b"{,}",
        b"{]",
        b"[}",
        b"{{}}",
    ),
    *(b'{"a"}', b'{"a":}', b'{"a":1,}', b'{,"a":1}', b'{"a":1,,"b":2}', b'{"a" 1}', b'{"a"::1}', b'{"a":1 "b":2}'),
    *(b"{a:1}", b"{'a':1}", b"{1:1}", b"{null:1}", b'{"a":1}}', b'{"a":1}]', b'{"a":1}#', b'{"a":1}//x', b"/**/{}"),
    *(
        b'{"a":1/**/}',
        b"#\n{}",
        b'"',
        b'"a',
        b"null",
        b"true",
        b"1",
        b"NaN",
        b"-",
        b"nul",
        b'{"a":"',
        b'{"a":"\\',
        b"\xa0{}",
    ),
    *(
        b"\x0c{}",
        b"\x0b{}",
        b"{\x0c}",
        b"\x1e{}",
        b"\xe2\x80\x8b{}",
        b"\xe2\x81\xa0{}",
        b"{}\x00",
        b"{}\x1a",
        b"{}\xff",
    ),
    *(
        b"<a>1</a>",
        b"a=1&b=2",
        b"a: 1\n",
        b"\x82\xa1a\x01",
        b"\xa1aa\x01",
        b":)\n\xfb",
        b"\x1f\x8b\x08\x00",
        b"PK\x03\x04",
    ),
    *(b'{"":1}', b'{"a":1,"a":1}', b'{"a":1,"\\u0061":2}', b'{"x":{"a":1,"a":2}}', b'{"x":[{"a":1},{"a":2}]}'),
]


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
    literals = [*NUMBERS, *NO_NUMBERS, *OTHERS, *TEXTS, *BYTES, *(f'"{time}"' for time in _times())]
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


def _times() -> Iterator[str]:
    day, clock = "2026-11-03", "12:00:00"
    yield from (
        day,
        clock,
        f"{day}T{clock}",
        f"{day}{clock}Z",
        f"{day}_{clock}Z",
        f"{day}T{clock}ZZ",
        f" {day}T{clock}Z",
    )
    yield from (
        f"{day}T{clock}{zone}" for zone in ("Z", "z", "+00", "-00", "+0000", "-00:00", "+18", "+18:00", "+1801")
    )
    yield from (
        f"{day}T{clock}{zone}" for zone in ("+19", "-18:01", "+1", "+100", "+1:00", "+01:0", "+01:60", "+0160", "+")
    )
    yield from (
        f"{day}T{clock}{zone}"
        for zone in (" Z", " +01", "UTC", "[UTC]", "+01:00:00", "+aa", "\u221201:00", "Europe/Paris")
    )
    yield from (
        f"{day}T{clock}.{part}Z" for part in ("", "0", "9", "999999", "9999999", "123456789", "1234567891", "x", "-1")
    )
    yield from (
        f"{day}T{time}Z" for time in ("00:00", "24:00", "23:59:59", "23:59:60", "12:60", "12:00:", "12", "1200", "1:00")
    )
    yield from (
        f"{date}T{clock}Z"
        for date in ("2026-02-29", "2024-02-29", "2026-00-03", "2026-13-03", "2026-11-00", "2026-11-31")
    )
    yield from (
        f"{date}T{clock}Z"
        for date in ("0000-01-01", "0000-02-29", "0001-01-01", "9999-12-31", "10000-01-01", "-001-01-01")
    )
    yield from (
        f"{date}T{clock}Z"
        for date in ("2026-11-3", "26-11-03", "2026/11/03", "20261103", "2026-W45-2", "2026-307", "٢٠٢٦-11-03")
    )
    yield from (
        "",
        " ",
        "now",
        "today",
        "0",
        str(MICROS),
        "NaN",
        "Tue, 03 Nov 2026 12:00:00 GMT",
        "11/03/2026",
        "\\u0000",
        "\\ud800",
    )


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
