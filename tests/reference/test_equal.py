"""Reference and product: the same outcomes, writes, examples and contents over random streams."""

import os
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import product
from tests.reference.comparison import difference, in_memory, report
from tests.reference.streams import random_stream

STREAMS = int(os.environ.get("TACIT_ORACLE_STREAMS", "160"))
"""Streams of a run; `python -m tests.reference` reports progress of longer runs."""
PER_TEST = 20
STORED = 10
STORED_EVENTS = 60


@pytest.mark.parametrize("first", range(0, STREAMS, PER_TEST))
def test_users_are_equal(first: int) -> None:
    """Users in memory, saved and loaded at random moments."""
    for seed in range(first, min(first + PER_TEST, STREAMS)):
        found = report(seed, in_memory)
        assert not found, found


@pytest.mark.parametrize("seed", [2, 7])
def test_long_lives_are_equal(seed: int) -> None:
    """A user with hundreds of pieces of feedback, and sums near their limits."""
    found = report(seed, in_memory, most=2_000, is_calm=True)
    assert not found, found


@pytest.mark.parametrize("seed", range(STORED))
def test_shards_are_equal(seed: int) -> None:
    """A shard with a store on disk and a cache of two users."""
    found = report(seed, product.stored, STORED_EVENTS)
    assert not found, found


@settings(max_examples=20)
@given(st.randoms(use_true_random=False))
def test_short_streams_are_equal(random: Random) -> None:
    """Hypothesis chooses, and shortens, streams of few events."""
    assert not difference(random_stream(random, most=8), in_memory)
