"""client/tacit/contract/signals."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.activity import Activity
from tacit.contract.signals import (
    PROFILE,
    STATUS,
    Profile,
    Session,
    Signal,
    Status,
    decode_profile,
    decode_signal,
    decode_status,
    encode,
)
from tacit.contract.versions import is_version, version
from tacit.errors import CatalogueError

TIMES = st.integers(0, 9_999_999_999_999)
COUNTS = st.integers(0, 2**32 - 1)
CONTRACT = (
    b'{"v":"1795297433438-0000000042","value":"concise","p":0.91,"confidence":0.86,"tier":"apply","source":"learned",'
    b'"evidence":41.5,"runner_up":"balanced","gap":0.22,"default":"balanced","explore":0.028,'
    b'"why":[["shorter",3],["thumbs_up",12]],"by":"m1.c3.p12","at":1795297433438,'
    b'"against":4.5,"why_not":[["thumbs_down",2]],'
    b'"contexts":[["topic:email","detailed",0.83,"apply","balanced"]],"drift_at":null}'
)
"""The example that the contract shows."""


@given(TIMES, COUNTS, TIMES, COUNTS)
def test_text_order_of_versions_is_age_order(at_ms: int, seq: int, other_ms: int, other_seq: int) -> None:
    """Redis compares versions as text: time first, then count."""
    assert (version(at_ms, seq) < version(other_ms, other_seq)) == ((at_ms, seq) < (other_ms, other_seq))
    assert is_version(version(at_ms, seq))


@pytest.mark.parametrize(
    "text",
    ["", "1795297433438", "1795297433438-42", "1795297433438-0000000042\n", " 1795297433438-0000000042", "x" * 24],
)
def test_other_text_is_not_a_version(text: str) -> None:
    """Such a text would sort anywhere."""
    assert not is_version(text)


def test_signal_of_the_contract_round_trips() -> None:
    """Byte for byte: assistants and the Lua script read it."""
    signal = decode_signal(CONTRACT)
    assert signal.why == (("shorter", 3), ("thumbs_up", 12))
    assert encode(signal) == CONTRACT


def test_signal_of_an_earlier_worker_is_read() -> None:
    """It has no contexts and nothing against the value."""
    earlier = (
        b'{"v":"1795297433438-0000000042","value":"concise","p":0.91,"confidence":0.86,"tier":"apply",'
        b'"source":"learned","evidence":41.5,"runner_up":"balanced","gap":0.22,"default":"balanced","explore":0.05,'
        b'"drift_at":1795297433438,"why":[["shorter",3]],"by":"m1.c3.p12","at":1795297433438}'
    )
    signal = decode_signal(earlier)
    assert (signal.against, signal.why_not, signal.contexts) == (0.0, (), ())


@pytest.mark.parametrize("kind", [Signal, Profile, Status])
def test_version_is_the_first_member(kind: type[msgspec.Struct]) -> None:
    """The script finds the version without parsing the JSON."""
    assert kind.__struct_fields__[0] == "v"


def test_profile_has_the_names_of_the_contract() -> None:
    """The contract has names that Python does not allow, such as `1h`."""
    profile = Profile("v", Activity(1, 2, 3), (("code", 0.5),), Session(7, 4, 0.25), (0.5,) * 24, 9)
    assert json.loads(encode(profile)) == {
        "v": "v",
        "activity": {"1h": 1, "24h": 2, "7d": 3},
        "topics": [["code", 0.5]],
        "session": {"started_at": 7, "turns": 4, "negative_share": 0.25},
        "hours": [0.5] * 24,
        "at": 9,
    }
    assert decode_profile(encode(profile)) == profile


def test_status_is_opted_out() -> None:
    """Another status is an error."""
    status = Status("1795297433438-0000000000", "opted_out")
    assert decode_status(encode(status)) == status
    with pytest.raises(msgspec.ValidationError):
        decode_status(b'{"v":"x","status":"on_holiday"}')


def test_fields_of_later_versions_are_ignored() -> None:
    """Workers may be newer than readers."""
    assert decode_signal(CONTRACT[:-1] + b',"mood":"sunny"}') == decode_signal(CONTRACT)


@pytest.mark.parametrize("damage", [b'"tier":"must"', b'"tier":3', b'"tear":"apply"'])
def test_invalid_signal_is_an_error(damage: bytes) -> None:
    """A reader treats it as absent."""
    with pytest.raises(msgspec.ValidationError):
        decode_signal(CONTRACT.replace(b'"tier":"apply"', damage))


@pytest.mark.parametrize("field", [PROFILE, STATUS])
def test_facet_cannot_have_the_name_of_another_field(field: str) -> None:
    """The catalogue rejects the name."""
    with pytest.raises(CatalogueError, match="is not a name"):
        NumberedCatalogue.parse(f'schema = 1\n[facets.{field}]\ntitle = "T"\nvalues = ["a", "b"]\n')
