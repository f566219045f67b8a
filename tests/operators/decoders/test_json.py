"""operators/decoders/json: syntax, numbers, duplicates and depth of documents; error details."""

import json
from typing import Any

import pytest

from operators.decoders import Undecodable
from operators.decoders.json import MAX_DEPTH, decode
from state.events.records import Reason
from tests.support.factories import FULL_EVENT, START_MS, make_event
from tests.support.parser import INTERACTION, accepted, rejected

CONTROL = json.dumps(
    {"schema": 1, "event_id": "f", "user_id": "ada", "at": 7, "region": "eu", "type": "forget"}
).encode()


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b" ",
        b"\n",
        b"{",
        b"{'schema': 1}",
        b"\xef\xbb\xbf" + INTERACTION,
        b"\xff\xfe" + INTERACTION,
        INTERACTION + b"x",
        INTERACTION + INTERACTION,
        INTERACTION + b"\x00",
        b"\x00" * 100,
        INTERACTION.replace(b"ada", b"a\x00a"),
        INTERACTION.replace(b"ada", b"a\nb"),
        INTERACTION.replace(b"ada", b"\xff"),
        INTERACTION.replace(b"ada", b"\xed\xa0\x80"),
        INTERACTION.replace(b"ada", rb"\ud800"),
        INTERACTION.replace(b"ada", rb"\udc00\ud800"),
        INTERACTION.replace(b"ada", rb"\x41"),
        b"[" * 10_000,
        b'{"a":' * 3_000,
        b'{"served":' + b"[" * 8_000 + b"]" * 8_000 + b"}",
        INTERACTION.replace(str(START_MS).encode(), b"9" * 5_000),
        b"-" * 5_000,
    ],
)
def test_broken_json_is_not_json(value: bytes) -> None:
    """A syntax error has no further detail."""
    assert rejected(value) == (Reason.NOT_JSON, "malformed JSON")


@pytest.mark.parametrize(
    ("number", "detail"),
    [
        (b"1e999999", "at: number out of range"),
        (b"-1E400", "at: number out of range"),
        (b"9" * 4_000, "at: expected int <= 9999999999999"),
        (b"0.0", "at: expected int, got float"),
        (b"NaN", "event: NaN, Infinity or a lone surrogate"),
        (b"Infinity", "event: NaN, Infinity or a lone surrogate"),
        (b"-Infinity", "event: NaN, Infinity or a lone surrogate"),
    ],
)
def test_odd_numbers_are_invalid_times(number: bytes, detail: str) -> None:
    """A time is an integer."""
    assert rejected(INTERACTION.replace(str(START_MS).encode(), number)) == (Reason.INVALID, detail)


def test_last_of_two_equal_members_counts() -> None:
    """Most JSON parsers take the last one, too."""
    twice = INTERACTION.replace(b'"region": "eu"', b'"region": "us", "region": "eu"')
    accepted(twice)
    assert rejected(INTERACTION.replace(b'"region": "eu"', b'"region": "eu", "region": "us"'))[0] is Reason.WRONG_REGION


def test_white_space_around_an_event_is_ignored() -> None:
    """Lines may end in a line feed, or in carriage return and line feed."""
    assert accepted(b" \t" + INTERACTION + b"\r\n").at_ms == START_MS


@pytest.mark.parametrize("value", [b"[" * 100_000, b'{"a":' * 100_000, b"9" * 1_000_000, b'"' + b"x" * 1_000_000])
def test_decoder_withstands_depth_and_size(value: bytes) -> None:
    """A document over the limit is not decoded, unless it seems to be a control event."""
    assert decode(value) == Undecodable(Reason.TOO_LARGE, "over 16384 bytes")
    assert decode(b'{"type":"forget","x":' + value) == Undecodable(Reason.TOO_LARGE, "over 16384 bytes", "forget")


@pytest.mark.parametrize(("depth", "reason"), [(MAX_DEPTH, Reason.INVALID), (MAX_DEPTH + 1, Reason.NOT_JSON)])
def test_depth_limit_does_not_depend_on_the_caller(depth: int, reason: Reason) -> None:
    """The same record is the same reject in every process."""
    nested = INTERACTION[:-1] + b',"a":' + b"[" * depth + b"]" * depth + b"}"

    def called_from(frames: int) -> Reason:
        return called_from(frames - 1) if frames else rejected(nested)[0]

    assert called_from(0) is called_from(300) is reason


@pytest.mark.parametrize("member", ['"at":"now"', '"at":1.0', '"region":"EU"', '"type":"pin"', '"schema":2'])
@pytest.mark.parametrize("event", [INTERACTION, CONTROL], ids=["interaction", "forget"])
def test_last_of_two_members_counts_even_if_the_first_is_invalid(event: bytes, member: str) -> None:
    """A forget with a repeated member is not lost."""
    assert decode(b"{" + member.encode() + b"," + event[1:]) == decode(event)


def test_invalid_last_member_is_a_reject() -> None:
    """The detail names the member."""
    assert rejected(INTERACTION[:-1] + b',"at":"now"}') == (Reason.INVALID, "at: expected int, got str")
    assert rejected(INTERACTION[:-1] + b',"at":1,"at":NaN}')[0] is Reason.INVALID


@pytest.mark.parametrize("schema", ["1.0", "1e0", "true", "2", "null", '"1"', "[1]", "9" * 25])
def test_schema_is_the_integer_1(schema: str) -> None:
    """Another schema has other types, so no other rule is checked."""
    event = json.dumps(make_event(at="now") | {"schema": "?"}).replace('"?"', schema)
    assert rejected(event.encode()) == (Reason.UNKNOWN_SCHEMA, "schema: only 1 is known")


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ({"user_id": "x" * 129}, "user_id: expected str of length <= 128"),
        ({"served": {"tone": []}}, "served.*: expected array of length >= 1"),
        ({"served": {"x" * 41: "formal"}}, "served.*: expected str of length <= 40"),
        ({"served": {"tone": 1}}, "served.*: expected str | array, got int"),
        ({"acted_on": [{"facet": "tone"}]}, "acted_on.0.value: missing"),
        ({"zaphod": 1}, "*: unknown member"),
        ({"item - at `$.zaphod": 1}, "*.*: unknown member"),
    ],
)
def test_detail_is_path_and_rule(fields: dict[str, Any], detail: str) -> None:
    """Names that are not members of the contract are `*`."""
    assert rejected(FULL_EVENT | fields) == (Reason.INVALID, detail)
