"""Synthetic users with full state, and state folders that hold them."""

import random
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import timedelta
from itertools import cycle
from pathlib import Path

import bytewax.operators as op
import msgspec
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource

from dataflows.graph import ADAPT_STEP, FLOW_ID
from dataflows.state_folder import Identity, locked
from operators.parse import Parsed
from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Kind, Observation
from state.events.records import FileOrigin, Record
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.storage.shards import shard_key, shard_of
from state.user import codec
from state.user.parts import Waiting
from state.user.rules import Rules
from state.user.user_state import UserState
from tacit.contract.gates import SCOPES
from tacit.contract.pseudonyms import pseudonym

_ORIGIN = FileOrigin("benchmark")
_decode = msgspec.msgpack.Decoder(Observation).decode
_encode = msgspec.msgpack.Encoder().encode

ANSWERS = 70
DIFFERENT_USERS = 100
"""Different rows of a state folder: equal neighbours would be compressed better than real ones."""
_AT_ONCE = 256
"""Users that are put together."""
END_MS = time.time_ns() // 1_000_000 - 3_600_000
"""Event time of the measured answers (epoch ms); a full user's newest answer is up to some days older."""


def full_rows(rules: Rules) -> list[bytes]:
    """Return the rows of different users after 70 answers with feedback: all rings full, all windows used."""
    return [codec.pack(_full_user(rules, seed)) for seed in range(DIFFERENT_USERS)]


def _full_user(rules: Rules, seed: int) -> UserState:
    state = UserState(rules.catalogue)
    for observation in _answers(rules.catalogue, seed):
        state.observe(observation, rules)
    state.take_writes(b"", rules.catalogue)
    return state


def _answers(catalogue: NumberedCatalogue, seed: int) -> Iterator[Observation]:
    rng = random.Random(seed)
    at_ms = END_MS - ANSWERS * 4 * 3_600_000
    for number in range(ANSWERS + 1):
        at_ms += rng.randrange(60_000, 4 * 3_600_000)
        yield answer(bytes(16), at_ms, number, rng, catalogue, Kind.INTERACTION if number else Kind.GRANT)


def answer(
    user: bytes,
    at_ms: int,
    number: int,
    rng: random.Random,
    catalogue: NumberedCatalogue,
    kind: Kind = Kind.INTERACTION,
) -> Observation:
    """Return an observation of an answer with a random style and random feedback, or of a grant of all scopes."""
    style = [rng.choice(slots) for slots in catalogue.facet_slots]
    return Observation(
        user=user,
        at_ms=at_ms,
        kind=kind,
        event=number + 1,
        turn=number + 1,
        topic=rng.randrange(len(catalogue.topics.values) - 2),
        surface=rng.randrange(len(catalogue.surfaces.values)),
        item=0,
        feedback=rng.randrange(len(catalogue.feedback)),
        slots=list(range(len(SCOPES))) if kind is Kind.GRANT else style,
        facets=(),
        acted=(),
    )


def record_of(answer: Observation) -> Record:
    """Return a record that stands for an answer: its parsing is not measured."""
    return Record(_ORIGIN, 1, _encode(answer), answer.at_ms)


def parse_answers(records: Iterable[Record]) -> Parsed:
    """Return the answers of such records, in the form of a parser."""
    kept = list(records)
    return Parsed([_decode(record.value) for record in kept], kept, [])


def pseudonyms(user_count: int, secret: bytes) -> list[bytes]:
    """Return the pseudonyms of the users `user-0`, `user-1` and so on."""
    return [pseudonym(f"user-{number}", secret) for number in range(user_count)]


def put(store: ShardStore, users: Sequence[bytes], rows: Sequence[bytes]) -> None:
    """Give each user of a shard one of the rows."""
    for first in range(0, len(users), _AT_ONCE):
        batch = users[first : first + _AT_ONCE]
        store.begin_batch(batch)
        for user, row in zip(batch, cycle(rows)):
            codec.load(store.move_to(user, Waiting()), row)
            store.put(user)
        store.end_batch()


class _Fill(StatefulBatchLogic[list[bytes], None, bytes]):
    """A step that writes a row for each user of a shard."""

    def __init__(self, stores: ShardStores, rows: Sequence[bytes]) -> None:
        self._stores = stores
        self._rows = rows
        self._store: ShardStore | None = None

    def on_batch(self, values: list[list[bytes]]) -> tuple[list[None], bool]:
        store = self._store = self._stores.create(values[0][0])
        for users in values:
            put(store, users, self._rows)
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        assert self._store is not None  # noqa: S101
        return self._store.snapshot()


def fill(folder: Path, identity: Identity, users: list[bytes]) -> None:
    """Create a state folder, as a run with this identity would leave it, with full state for each user."""
    catalogue = NumberedCatalogue.load()
    rows = full_rows(Rules(catalogue))
    shards: list[list[bytes]] = [[] for _ in range(identity.shards)]
    for user in users:
        shards[shard_of(user, identity.shards)].append(user)
    with (
        locked(folder, identity, catalogue) as held,
        ShardStores(held.shards, identity.shards, catalogue, held.execution) as stores,
    ):
        flow = Dataflow(FLOW_ID)
        groups = op.input(
            "users", flow, TestingSource([(shard_key(shard), members) for shard, members in enumerate(shards)])
        )
        filled = op.stateful_batch(ADAPT_STEP, groups, lambda _: _Fill(stores, rows))
        op.output("nowhere", filled, TestingSink([]))
        cli_main(flow, epoch_interval=timedelta(days=1), recovery_config=RecoveryConfig(held.recovery))
