"""The product behind the interface of the comparison: the only module that knows the inside of the product."""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from operators.adapt import Adapt, Examples
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.events.observation import Observation
from state.events.records import Reject
from state.learning.example import pack_message
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_version import PopulationVersion
from state.learning.signals import population_write
from state.storage.shard_stores import ShardStores
from state.user import codec, full_write
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.writes import GateWrite, SignalWrite
from tacit.contract.activity import WINDOWS
from tacit.contract.gates import encode_gate
from tests.reference.shard import Batch
from tests.reference.user import Observed, Write
from tests.support.observed_records import parse_observed, records_of


def new_user(catalogue: NumberedCatalogue) -> UserState:
    """Return an unknown user."""
    return UserState(catalogue)


def observe(state: UserState, o: Observation, rules: Rules) -> Observed:
    """Take in an event."""
    outcome, example, wipes, remembers = state.observe(o, rules)
    return Observed(outcome, None if example is None else pack_message(example), wipes, remembers)


def take_writes(state: UserState, user: bytes, rules: Rules) -> list[Write]:
    """Return the writes that wait."""
    return [_write(write) for write in state.take_writes(user, rules.catalogue)]


def _write(write: GateWrite | SignalWrite) -> Write:
    history = None if write.history is None else (write.history.at_ms, write.history.content)
    if isinstance(write, GateWrite):
        return Write(write.user, encode_gate(write.gate), history=history)
    return Write(write.user, b"", write.wiped_ms, write.at_ms, write.fields, history)


def reload(state: UserState, catalogue: NumberedCatalogue) -> UserState:
    """Save a user, and load the user under the same or a later catalogue."""
    return codec.unpack(codec.pack(state), catalogue)


def packed(state: UserState) -> bytes:
    """Return the stored bytes of a user."""
    return codec.pack(state)


def all_writes(state: UserState, user: bytes, rules: Rules) -> list[Write]:
    """Return the gate and all signals of a user at rest, for a Redis that lost data."""
    found = full_write.gate_write(user, state, rules.prior), full_write.signals_write(user, state, rules.prior)
    return [_write(write) for write in found if write is not None]


def default_signals(prior: Prior, version: PopulationVersion) -> tuple[tuple[str, bytes], ...]:
    """Return (facet, JSON) of the signals of an unknown user."""
    return population_write(prior, version).defaults


def content(state: UserState) -> dict[str, Any]:
    """Return all that a user's state holds, by name."""
    consent = state.consent
    found: dict[str, Any] = {
        "clock": (state.newest_ms, state.seq),
        "consent": list(zip(consent.states, consent.since_ms, strict=True)),
        "wipes": (consent.wiped_ms, consent.forgotten_ms, consent.wiped),
        "controls": list(consent.controls),
        "pins": {facet: tuple(pin) for facet, pin in state.pins.items()},
        "events": {*state.events.hashes},
        "turns": {
            turn: (learned, bool(state.turns.disliked >> place & 1))
            for place, (turn, learned) in enumerate(zip(state.turns.hashes, state.turns.learned, strict=True))
        },
        "profile pane": state.row.numbers("profile_pane"),
        "history": (state.history.written, *_entries(state)),
    }
    if state.has_windows:
        found |= _windows(state)
    if state.has_preferences:
        found |= _beliefs(state)
    return found


class StoredShard:
    """A shard of the product's step, with a store on disk and a cache of few users."""

    def __init__(self, folder: Path, cached_users: int) -> None:
        self._folder, self._cached_users = folder, cached_users
        self._execution = 0
        self._token: bytes | None = None
        self._open = ExitStack()
        self._adapt: Adapt | None = None

    def visible(self, batch: Batch) -> Batch:
        """Return the part of a batch's results that the step shows: outcomes are counted, and wipes are not."""
        return batch._replace(outcomes=sorted(batch.outcomes), wiped=[])

    def batch(self, observations: Sequence[Observation], rules: Rules) -> Batch:
        """Take in a batch."""
        adapt = self._adapt or self._resume(rules)
        self._shared.prior = rules.prior
        before = dict(self._counters.outcomes)
        adapted, _ = adapt.on_batch([records_of(observations)])
        rejects = [one.reason for one in adapted if isinstance(one, Reject)]
        examples = [one for one in adapted if isinstance(one, Examples)]
        messages = [pack_message(message) for one in examples for message in one.messages]
        writes = [_write(one) for one in adapted if isinstance(one, GateWrite | SignalWrite)]
        counts = {outcome: count - before[outcome] for outcome, count in self._counters.outcomes.items()}
        return Batch(sorted([*Counter(counts).elements(), *rejects]), [], writes, messages)

    def _resume(self, rules: Rules) -> Adapt:
        self._execution += 1
        stores = ShardStores(self._folder, 1, rules.catalogue, f"{self._execution:08x}", self._cached_users)
        self._open.enter_context(stores)
        self._shared, self._counters = CurrentPrior(rules.prior), EventCounters()
        self._adapt = Adapt(stores, rules, self._counters, parse_observed, self._token, shared=self._shared)
        return self._adapt

    def save(self) -> None:
        """Stop after a checkpoint; the next call resumes from there."""
        if self._adapt is not None:
            self._token = self._adapt.snapshot()
            self.close()

    def content(self, rules: Rules) -> dict[bytes, Any]:
        """Return the contents of all users, and the writes for a Redis that lost data."""
        if self._token is None:
            return {}
        store = (self._adapt or self._resume(rules))._store
        assert store is not None
        return {user: content(state) | {"writes": all_writes(state, user, rules)} for user, state in store}

    def close(self) -> None:
        """Close the store."""
        self._open.close()
        self._adapt = None


@contextmanager
def stored(cached_users: int = 2) -> Iterator[StoredShard]:
    """Provide a shard in a temporary folder."""
    with TemporaryDirectory() as folder, closing(StoredShard(Path(folder), cached_users)) as shard:
        yield shard


def _entries(state: UserState) -> tuple[int, int]:
    """Return the numbers of actions and changes."""
    changes = sum(entry.is_change for entry in state.history.entries)
    return len(state.history.entries) - changes, changes


def _windows(state: UserState) -> dict[str, Any]:
    windows, newest_ms = state.windows, state.newest_ms
    topics = zip(windows.topic_ids, windows.topic_weights, strict=True)
    rings, first = [], 0
    for window in WINDOWS:
        rings.append((window.panes.width_ms, first, window.panes.number))
        first += window.panes.number
    return {
        "panes": [
            [windows.panes[first + (newest_ms // width_ms - ago) % size] for ago in range(size)]
            for width_ms, first, size in rings
        ],
        "hours": list(windows.hours),
        "topics": list(topics),
        "sessions": windows.sessions.rows,
    }


def _beliefs(state: UserState) -> dict[str, Any]:
    own, held = state.model, state.row.numbers
    log, contexts, facets = own.log, own.contexts, range(len(own.catalogue.facet_names))
    emitted = [held(f"emitted_{name}") for name in ("slots", "tiers", "confidences", "ms")]
    return {
        "means": [*own.means, *own.slopes, own.bias],
        "variances": [*own.variances, *own.slope_variances, own.bias_variance],
        "mood": (held("mood"), held("mood_variance"), held("mood_s")),
        "contexts": (contexts.keys, contexts.weights, [effect for row in contexts.effects for effect in row]),
        "feedback count": (own.feedback_count, own.population),
        "pieces": [
            (one.at_ms // 1000, one.kind, one.form, one.weight, one.mean, one.variance, one.only, one.slots)
            for one in log.pieces
        ],
        "sums": (held("totals"), held("sums"), held("days")),
        "emitted": [tuple(column[facet] for column in emitted) for facet in facets],
        "emitted evidence": held("emitted_evidence"),
        "emitted contexts": [rank for ranks in held("emitted_ranks") for rank in ranks],
    }
