"""Synthetic users with full state, and state folders that hold them."""

import random
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
from bytewax.dataflow import Dataflow
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig
from bytewax.run import cli_main
from bytewax.testing import TestingSink, TestingSource

from dataflows.graph import ADAPT_STEP, FLOW_ID
from dataflows.state_folder import Identity, locked
from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Kind, Observation
from state.events.records import FileOrigin, pack_origin
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.storage.shards import shard_key, shard_of
from state.user.rules import Rules
from state.user.user_state import UserState
from tacit.contract.pseudonyms import pseudonym

ANSWERS = 70
END_MS = time.time_ns() // 1_000_000 - 3_600_000
"""Event time of the measured answers (epoch ms); a full user's newest answer is up to some days older."""


def full_user(rules: Rules) -> UserState:
    """Return the state of a user after 70 answers with feedback: all rings full, all windows used."""
    state = UserState()
    for observation in _answers(rules.catalogue):
        state.observe(observation, rules)
    state.take_writes(b"", rules.catalogue)
    return state


def _answers(catalogue: NumberedCatalogue) -> Iterator[Observation]:
    rng = random.Random(1)
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
    """Return an observation of an answer with a random style and random feedback."""
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
        slots=[rng.choice(slots) for slots in catalogue.facet_slots],
        facets=(),
        acted=(),
        origin=pack_origin(FileOrigin("benchmark")),
        position=number,
        sha256=bytes(32),
    )


def pseudonyms(user_count: int, secret: bytes) -> list[bytes]:
    """Return the pseudonyms of the users `user-0`, `user-1` and so on."""
    return [pseudonym(f"user-{number}", secret) for number in range(user_count)]


class _Fill(StatefulBatchLogic[list[bytes], None, bytes]):
    """A step that writes the same state for each user of a shard."""

    def __init__(self, stores: ShardStores, state: UserState) -> None:
        self._stores = stores
        self._user_state = state
        self._store: ShardStore | None = None

    def on_batch(self, values: list[list[bytes]]) -> tuple[list[None], bool]:
        store = self._store = self._stores.create(values[0][0])
        for users in values:
            for user in users:
                if store.get(user) is None:
                    store.put(user, self._user_state)
                store.end_batch()
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        assert self._store is not None  # noqa: S101
        return self._store.snapshot()


def fill(folder: Path, identity: Identity, users: list[bytes]) -> None:
    """Create a state folder, as a run with this identity would leave it, with full state for each user."""
    catalogue = NumberedCatalogue.load()
    state = full_user(Rules(catalogue))
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
        filled = op.stateful_batch(ADAPT_STEP, groups, lambda _: _Fill(stores, state))
        op.output("nowhere", filled, TestingSink([]))
        cli_main(flow, epoch_interval=timedelta(days=1), recovery_config=RecoveryConfig(held.recovery))
