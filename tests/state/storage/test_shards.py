"""Shards: keys, workers and users."""

from collections import Counter
from hashlib import blake2b
from threading import get_ident

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.testing import TestingSink, TestingSource, cluster_main

from state.storage.shards import MAX_SHARDS, shard_key, shard_of


class WorkerOf(StatefulBatchLogic[int, tuple[int, int], None]):
    """Logic that returns the thread of the worker with each value."""

    def on_batch(self, values: list[int]) -> tuple[list[tuple[int, int]], bool]:
        return [(value, get_ident()) for value in values], StatefulBatchLogic.RETAIN

    def snapshot(self) -> None:
        return None


def routes(shards: int, workers: int) -> dict[int, int]:
    """Return shard → worker, as Bytewax routes the shards."""
    flow = Dataflow("routes")
    out: list[tuple[str, tuple[int, int]]] = []
    numbered = op.input("in", flow, TestingSource([(shard_key(shard), shard) for shard in range(shards)]))
    op.output("out", op.stateful_batch("where", numbered, lambda _: WorkerOf()), TestingSink(out))
    cluster_main(flow, [], 0, worker_count_per_proc=workers)
    return dict(where for _, where in out)


@pytest.mark.parametrize("workers", [2, 4, 8])
@pytest.mark.parametrize("shards", [8, 16, 64, MAX_SHARDS])
def test_workers_get_the_same_number_of_shards(shards: int, workers: int) -> None:
    """Bytewax hashes the keys, which are chosen for an even spread."""
    found = routes(shards, workers)
    assert len(found) == shards
    assert set(Counter(found.values()).values()) == {shards // workers}


def test_keys_are_distinct_and_sort_like_their_shards() -> None:
    """Bytewax activates keys in the order of the text."""
    keys = [shard_key(shard) for shard in range(MAX_SHARDS)]
    assert len(set(keys)) == MAX_SHARDS
    assert keys == sorted(keys)


def test_keys_are_pinned() -> None:
    """Stored state is found by its key: another key would start without state."""
    keys = "".join(shard_key(shard) for shard in range(MAX_SHARDS))
    assert blake2b(keys.encode(), digest_size=8).hexdigest() == "9da10261c740e010"


@pytest.mark.parametrize(
    ("user", "shards", "shard"),
    [
        (bytes(16), 16, 0),
        (bytes.fromhex("19615f50f43e3144eda7c8637352faa3"), 16, 9),
        (bytes.fromhex("19615f50f43e3144eda7c8637352faa3"), 256, 25),
        (b"\xff" * 16, 16, 15),
        (b"\xff" * 16, 6, 3),
    ],
)
def test_shard_of_a_user_is_pinned(user: bytes, shards: int, shard: int) -> None:
    """A user in another shard would lose the state."""
    assert shard_of(user, shards) == shard


@pytest.mark.parametrize("shards", [1, 6, 16, 256])
def test_users_spread_over_all_shards(shards: int) -> None:
    """Pseudonyms are uniform, so no shard is much larger than another."""
    users = 400 * shards
    found = Counter(shard_of(blake2b(str(n).encode(), digest_size=16).digest(), shards) for n in range(users))
    assert set(found) == set(range(shards))
    assert max(found.values()) < 1.25 * 400
