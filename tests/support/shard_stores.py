"""Shards on disk for tests: filled, read and damaged."""

from collections.abc import Callable, Sequence
from itertools import count
from pathlib import Path

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Observation
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.user import codec
from state.user.parts import Waiting
from tests.support.factories import CATALOGUE, RULES, START_MS, make_observation

SHARDS = 1
USERS = [bytes([number]) * 16 for number in range(8)]

_executions = count(1)


def open_stores(
    folder: Path, *, shards: int = SHARDS, cached: int = 2, catalogue: NumberedCatalogue = CATALOGUE
) -> ShardStores:
    """Return the stores of a new execution."""
    return ShardStores(folder, shards, catalogue, f"{next(_executions):08x}", cached)


def process(store: ShardStore, observations: Sequence[Observation], erased: Sequence[bytes] = ()) -> None:
    """Process one batch of events; `erased`: the wiped users."""
    waiting = {o.user: Waiting() for o in observations}
    store.begin_batch(waiting)
    for o in observations:
        if store.move_to(o.user, waiting[o.user]).observe(o, RULES).changes:
            store.put(o.user)
    if erased:
        store.erase(erased)
    store.end_batch()


def touch(store: ShardStore, users: Sequence[bytes], at_ms: int = START_MS) -> None:
    """Process one batch: a turn of each user."""
    process(store, [make_turn(user, at_ms) for user in users])


def make_turn(user: bytes, at_ms: int) -> Observation:
    """Return a liked turn: it trains the user's preferences."""
    return make_observation(at_ms, user=user, served={"tone": "formal"}, feedback="thumbs_up")


def contents(store: ShardStore) -> dict[bytes, bytes]:
    """Return the packed states of all users, by pseudonym."""
    return {user: codec.pack(state) for user, state in store}


def checkpoints(folder: Path) -> list[Path]:
    """Return all checkpoints under a folder of shards, by shard, oldest first."""
    return sorted(folder.glob("*/c0*"))


def pseudonyms(number: int) -> list[bytes]:
    """Return pseudonyms that are spread evenly, like real ones."""
    return [(n * 40_503 % 65_536).to_bytes(2, "big") + n.to_bytes(14, "big") for n in range(number)]


# Damage

Damage = Callable[[Path], object]


def _cut_byte(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-1])


def _flip_bit(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


DAMAGES: dict[str, Damage] = {
    "missing": Path.unlink,
    "cut by a byte": _cut_byte,
    "emptied": lambda file: file.write_bytes(b""),
    "a bit flipped": _flip_bit,
    "a byte longer": lambda file: file.write_bytes(file.read_bytes() + b"\0"),
}
"""Name → function that damages a file."""
NEED_BYTES = {"cut by a byte", "emptied", "a bit flipped"}
"""Damages that need a file with at least one byte."""
