"""operators/decoders/json_line: the members of an interaction, and the user id alone."""

import json

import msgspec
import pytest

from operators.decoders.json_line import ABSENT, MAX_LINE_BYTES, NotALineError, read_line, read_user_id
from tests.support.factories import FULL_EVENT, make_event


def test_objects_stay_bytes() -> None:
    """White space between tokens of an object is part of its bytes, and white space around it is not."""
    line = read_line(b'{"served" : {"tone" :"formal"} ,' + json.dumps(make_event()).encode()[1:])
    assert (line.user_id, bytes(line.served), line.feedback is ABSENT) == ("ada", b'{"tone" :"formal"}', True)


@pytest.mark.parametrize("length", [MAX_LINE_BYTES, MAX_LINE_BYTES + 1])
def test_long_record_is_no_line(length: int) -> None:
    """The slow path takes it."""
    data = json.dumps(FULL_EVENT).encode().ljust(length)
    if length <= MAX_LINE_BYTES:
        assert read_line(data).item == FULL_EVENT["item"]
    else:
        with pytest.raises(NotALineError):
            read_line(data)


@pytest.mark.parametrize("served", [b"[" * 999 + b"]" * 999, b'{"tone":"\xff"}'])
def test_repeated_object_is_bounded_as_a_whole(served: bytes) -> None:
    """Its first bytes are dropped, so they are checked by the record's bytes."""
    data = b'{"served":%s,"served":{"tone":"formal"},' % served + json.dumps(make_event()).encode()[1:]
    with pytest.raises((NotALineError, UnicodeDecodeError)):
        read_line(data)


@pytest.mark.parametrize(
    "event", [make_event(note=1), make_event(type="forget"), make_event(at=1.5), make_event(at=...)]
)
def test_other_record_is_no_line(event: dict[str, object]) -> None:
    """Unknown members, control events and broken rules of numbers are left to the slow path."""
    with pytest.raises(msgspec.ValidationError):
        read_line(json.dumps(event).encode())


def test_last_user_id_counts() -> None:
    """The rest of the record may break any rule."""
    assert read_user_id(b'{"user_id":"bob","user\\u005fid":"ada","at":[],"note":{"user_id":"eve"}}') == "ada"


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"user_id":7}', b'{"user_id":"a"', b'{"user_id":"\xff"}'])
def test_record_without_a_user_id_is_an_error(data: bytes) -> None:
    """A whole decoding decides."""
    with pytest.raises((msgspec.MsgspecError, UnicodeDecodeError)):
        read_user_id(data)
