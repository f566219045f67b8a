"""connectors/redis/held: decoded keys of one user."""

import pytest

from connectors.redis.held import NO_GATE, held, read_gate
from tacit.contract.gates import Gate, encode_gate
from tacit.contract.signals import encode
from tests.support.sample_signals import NOW_MS, profile, signal


def test_fields_are_signals_a_profile_and_others() -> None:
    """Fields that cannot be read are counted."""
    found = held(
        {
            b"length": encode(signal("concise", NOW_MS - 1)),
            b"tone": encode(signal("warm", NOW_MS - 2)),
            b"_profile": encode(profile(NOW_MS)),
            b"_epoch": b'{"v":"1"}',
            b"emoji": b"{",
            b"\xff": b"{}",
        }
    )
    assert (sorted(found.signals), found.unreadable, found.newest_ms) == (["length", "tone"], 2, NOW_MS)
    assert found.newest is found.signals["length"]
    assert (found.wiped, found.is_opted_out) == (b'{"v":"1"}', False)
    nothing = held({b"_status": b"{}"})
    assert (nothing.newest, nothing.newest_ms, nothing.is_opted_out) == (None, 0, True)


@pytest.mark.parametrize("raw", [None, b"", b"foreign", 7])
def test_foreign_gate_is_no_gate(raw: object) -> None:
    assert read_gate(raw) is NO_GATE


def test_gate_is_read() -> None:
    assert read_gate(encode_gate(Gate(7))) == Gate(7)
