"""Population version as bytes: JSON, checked in each read."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.errors import StateError
from state.learning.population_version import (
    FacetScore,
    Gaussian,
    PopulationVersion,
    Scores,
    decode_version,
    encode_version,
)
from tests.support.sample_population import version

FINITE = st.floats(allow_nan=False, allow_infinity=False)
RATES = st.floats(0, 1)
COUNTS = st.integers(0, 2**53)
NAMES = st.text(max_size=20)
GAUSSIANS = st.builds(Gaussian, FINITE, st.floats(0, allow_nan=False, allow_infinity=False))
SCORES = st.builds(
    Scores,
    COUNTS, FINITE, FINITE, RATES, RATES, COUNTS,
    st.dictionaries(NAMES, st.builds(FacetScore, FINITE, COUNTS), max_size=4),
)  # fmt: skip
VERSIONS = st.builds(
    PopulationVersion,
    st.integers(1, 2**53), COUNTS, COUNTS, COUNTS,
    st.dictionaries(NAMES, GAUSSIANS, max_size=8), st.dictionaries(NAMES, GAUSSIANS, max_size=4),
    st.lists(NAMES, max_size=3).map(tuple), st.none() | SCORES,
)  # fmt: skip


@given(VERSIONS)
def test_version_survives_encoding(one: PopulationVersion) -> None:
    """Each digit survives, and equal versions have equal bytes."""
    assert decode_version(encode_version(one)) == one
    assert encode_version(decode_version(encode_version(one))) == encode_version(one)


def test_version_is_readable_json() -> None:
    """Each feature has mean and variance under its name."""
    found = json.loads(encode_version(version(3)))
    assert found["terms"]["length=concise"] == [0.03, 0.02]
    assert (found["n"], found["examples"], found["silent"]) == (3, 3000, [])


def _with(**fields: Any) -> bytes:
    return json.dumps(json.loads(encode_version(version(3))) | fields).encode()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"null",
        b"[]",
        b"\xff\xfe",
        b"{" * 100_000,
        b'{"x":' + b"[" * 100_000,
        b'{"terms":{"\xff":[0.1,0.1]}}',
        encode_version(version(3))[:-1],
        encode_version(version(3)) + b"x",
        _with(terms={"length=concise": [0.1, -0.001]}),
        _with(terms={"length=concise": [0.1]}),
        _with(terms={"length=concise": [0.1, 0.1, 0.1]}),
        _with(terms={"length=concise": ["0.1", 0.1]}),
        _with(trust={"population": [1.0, -1.0]}),
        _with(n="3"),
        _with(n=0),
        _with(n=2**70),
        _with(at=-1),
        _with(at=None),
        json.dumps({"n": 3}).encode(),
        encode_version(version(3)).replace(b"0.03", b"NaN"),
        encode_version(version(3)).replace(b"0.03", b"1e999"),
    ],
)
def test_foreign_bytes_are_an_error(data: bytes) -> None:
    """The error has a cause; an infinite belief would spread to all users."""
    with pytest.raises(StateError, match=r"a population version cannot be read: .+"):
        decode_version(data)


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
@pytest.mark.parametrize("position", [0, 1])
def test_infinite_belief_is_an_error(number: float, position: int) -> None:
    """JSON has no form for such a number, and the reader rejects it."""
    belief = Gaussian(0.1, number) if position else Gaussian(number, 0.1)
    with pytest.raises(StateError, match=r"\$\.terms"):
        decode_version(encode_version(replace(version(3), features={"bias": belief})))


def test_unknown_member_is_ignored() -> None:
    """An older reader accepts a newer version."""
    assert decode_version(_with(mood={"gay": 1})) == version(3)
