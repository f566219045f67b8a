"""Seeded mutations of records: damaged, unusual and extreme forms of valid events."""

import json
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from random import Random
from typing import Any

from state.events.records import CLOCK_TOLERANCE_MS, Record
from tacit.contract.versions import version
from tests.support.factories import FULL_EVENT, ORIGIN, START_MS, make_event

_ENTRY = {"facet": "length", "value": "concise", "version": version(START_MS, 3), "propensity": 0.95}
BASES: Sequence[dict[str, Any]] = [
    FULL_EVENT,
    make_event(turn_id="t-1", served={"length": "concise", "tone": "formal"}, topic="code", surface="chat"),
    make_event(feedback={"kind": "thumbs_up", "facets": ["length"]}, locale="de-AT", item="card:7", user_id="Zoë"),
    make_event(acted_on=[_ENTRY, _ENTRY | {"runner_up": "balanced", "version": None}], proposed=[_ENTRY]),
    make_event(),
]
CONTROLS: Sequence[dict[str, Any]] = [
    make_event(type="consent", granted=True, scope=["learn", "use"]),
    make_event(type="consent", granted=False),
    make_event(type="pin", facet="tone", value="formal"),
    make_event(type="pin", facet="tone", value=None),
    make_event(type="forget", facets=["tone"]),
]

_NAMES = [
    *FULL_EVENT, "proposed", "granted", "scope", "facet", "value", "facets", "kind", "version", "propensity",
    "runner_up", "note", "Scope", "",
]  # fmt: skip
_TEXTS = [
    "", "a", "a b", "ä", "x" * 40, "x" * 41, "x" * 64, "x" * 65, "u" * 128, "u" * 129, "a\n", "\x7f", "\x85", "a\u2028",
    "ada ", "ADA", "interaction", "consent", "pin", "forget", "Forget ", "eu", "us", "chat", "code", "gossip", "length",
    "tone", "concise", "formal", "rude", "thumbs_up", "shorter", "de", "de-AT", "de_AT", "learn", "e.g.:-_", "🙂" * 16,
    version(START_MS, 3), version(START_MS, 3) + "\n", "1" * 13 + "-" + "1" * 9 + "١", "1795297433438-0000000001x",
]  # fmt: skip
_NUMBERS = [
    0, 1, 1.0, 1.5, -1, -0.0, 0.95, 1.0000001, -1e-9, 1e400, 2, True, False, None, START_MS, START_MS // 1000,
    float(START_MS), 946_684_799_999, 946_684_800_000, 9_999_999_999_999, 10_000_000_000_000, 2**64, float("nan"),
]  # fmt: skip
_OBJECTS: Sequence[Any] = [
    {"length": "concise"}, {"length": ["concise"]}, {"kind": "copied"}, [_ENTRY, _ENTRY],
]  # fmt: skip
_LONG = [b"9" * 5_000, b"[" * 1_500, b"[" * 999 + b"]" * 999, json.dumps([_ENTRY] * 64).encode()]
_LONG_SHARE = 0.02
_TOKENS = [
    b"\xff", b"\\ud800", b"\\u0061", b"\\q", b"\\", b'"', b" ", b"\n", b"\t", b"\x00", b"{", b"}", b"[", b"]", b",",
    b":", b"NaN", b"1e999", b"01", b"null", b"\xef\xbb\xbf", b"\xc3", "ä".encode(),
]  # fmt: skip


def mutated_records(bases: Sequence[dict[str, Any]], count: int, seed: int = 1) -> Iterator[Record]:
    """Yield as many records; about a quarter are valid events in another form."""
    random = Random(seed)
    for position in range(count):
        event = json.loads(json.dumps(random.choice(bases)))
        event["user_id"] = random.choice((event["user_id"], f"user-{random.randrange(300)}"))
        for _ in range(random.choice((0, 0, 1, 1, 2))):
            _change_member(event, random)
        data = _as_json(event, random)
        for _ in range(random.choice((0, 0, 0, 1, 2))):
            data = random.choice(_CHANGES)(data, random)
        ahead_ms = random.choice((0, 0, CLOCK_TOLERANCE_MS, CLOCK_TOLERANCE_MS + 1))
        yield Record(ORIGIN, position, data, START_MS - ahead_ms if random.random() < 0.5 else 0)


def _change_member(event: dict[str, Any], random: Random) -> None:
    """Replace, add or remove a member of the event, or of an object in it."""
    tables = [event, *(value for value in event.values() if isinstance(value, dict))]
    tables += [
        entry for value in event.values() if isinstance(value, list) for entry in value if isinstance(entry, dict)
    ]
    table = random.choice(tables)
    name = random.choice(random.choice((list(table) or _NAMES, _NAMES)))
    if random.random() < 0.2:
        table.pop(name, None)
    else:
        table[name] = _value(random)


def _value(random: Random, depth: int = 0) -> Any:
    kind = random.randrange(10)
    if kind < 5 or depth > 1:
        return random.choice(_TEXTS)
    if kind < 7:
        return random.choice(_NUMBERS)
    if kind < 8:
        return [_value(random, depth + 1) for _ in range(random.choice((0, 1, 2, 2, 3)))]
    if kind < 9:
        return {random.choice(_TEXTS): _value(random, depth + 1) for _ in range(random.choice((0, 1, 2, 3)))}
    return deepcopy(random.choice(_OBJECTS))


def _as_json(event: dict[str, Any], random: Random) -> bytes:
    names = list(event)
    if random.random() < 0.3:
        random.shuffle(names)
    separators = random.choice(((",", ":"), (", ", ": "), (" ,\n", " :\t")))
    found = {name: event[name] for name in names}
    return json.dumps(found, ensure_ascii=random.random() < 0.5, separators=separators).encode()


def _repeat_member(data: bytes, random: Random) -> bytes:
    """Add a member, often one of the document: in front, so that the later one counts, or behind the others."""
    name = random.choice(_NAMES).encode()
    if random.random() < 0.1:
        name = name.replace(b"s", b"\\u0073").replace(b"u", b"\\u0075")
    value = random.choice((_token(random), json.dumps(_value(random)).encode()))
    member = b'"%s":%s' % (name, value)
    return b"{%s,%s" % (member, data[1:]) if random.random() < 0.7 else b"%s,%s}" % (data[:-1], member)


def _insert_token(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data) + 1)
    return data[:place] + _token(random) + data[place:]


def _token(random: Random) -> bytes:
    return random.choice(_LONG if random.random() < _LONG_SHARE else _TOKENS)


def _replace_byte(data: bytes, random: Random) -> bytes:
    place = random.randrange(len(data)) if data else 0
    return data[:place] + bytes([random.randrange(256)]) + data[place + 1 :]


def _cut(data: bytes, random: Random) -> bytes:
    start, end = sorted((random.randrange(len(data) + 1), random.randrange(len(data) + 1)))
    return random.choice((data[:end], data[:start] + data[end:]))


def _escape(data: bytes, random: Random) -> bytes:
    """Write a letter or a digit by its escape."""
    place = random.randrange(len(data)) if data else 0
    letter = data[place : place + 1]
    return data[:place] + b"\\u%04x" % letter[0] + data[place + 1 :] if letter.isalnum() else data


def _pad(data: bytes, random: Random) -> bytes:
    lengths = (4_095, 4_096, 4_097, 16_384, 16_385) if random.random() < _LONG_SHARE else (599, 600, 601)
    return data.ljust(random.choice(lengths))


_CHANGES: Sequence[Callable[[bytes, Random], bytes]] = [
    _repeat_member, _repeat_member, _insert_token, _replace_byte, _cut, _escape, _pad,
]  # fmt: skip
