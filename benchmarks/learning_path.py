"""The product's own code from a record to what Copilot reads, record by record, without the engine and without Redis.

All that depends on how users are learned is in `_through`.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from operators.adapt import Adapt
from operators.learn_population import LearnPopulation
from operators.parse import Parser
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.events.records import FileOrigin, Record, Reject
from state.learning.example import Example, pack_example
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationWrite
from state.storage.shard_stores import ShardStores
from state.user.rules import Rules
from state.user.writes import GateWrite, SignalWrite, Write
from tacit.contract.pseudonyms import pseudonym
from tacit.contract.signals import PROFILE, Signal, decode_signal
from tacit.reader.adaptation import Adaptation, Status
from tacit_lab.simulate import Arrival, Simulation, Style

_SECRET = b"0123456789abcdef"
_ORIGIN = FileOrigin("simulation")
_ONE_SHARD = 1


class Judged(NamedTuple):
    """One piece of feedback of an answer, and what was predicted before it was learned from."""

    user_id: str
    at_ms: int
    topic: str | None
    served: Style
    p: float
    """The chance of a like that was predicted, 0–1."""
    liked: bool


class Said(NamedTuple):
    """A signal that was written."""

    user_id: str
    facet: str
    signal: Signal
    judged: int
    """How many pieces of feedback of this user had been learned from by then."""


class Path:
    """A deployment that one simulated stream goes through, and what is known in it at any moment.

    Signals live permanently. The clock is that of the stream: versions of what is believed of all users come as often as
    they do in a live deployment.
    """

    def __init__(self, simulation: Simulation, stores: ShardStores, *, learns_population: bool = True) -> None:
        self._catalogue = catalogue = simulation.catalogue
        self._user_ids = {pseudonym(user_id, _SECRET): user_id for user_id in simulation.users}
        self._topics = {number: name for name, number in catalogue.topic_index.items()}
        self._now_ms = simulation.scenario.start_ms
        counters = Counters()
        self._parse = Parser(
            catalogue=catalogue,
            region=simulation.scenario.region,
            secret=_SECRET,
            shards=_ONE_SHARD,
            counters=counters.events,
            clock=self._clock,
        )
        shared = CurrentPrior(Prior(catalogue))
        rules = replace(Rules(catalogue, ttl_ms=None), teaches=True, population=shared.prior)
        self._adapt = Adapt(stores, rules, counters.events, shared=shared)
        self._learn = (
            LearnPopulation(
                PopulationTrainer(catalogue),
                lambda prior: setattr(shared, "prior", prior),
                counters.learning,
                clock=self._clock,
            )
            if learns_population
            else None
        )
        self._records = 0
        self._judged_ever: Counter[str] = Counter()
        self._opted_out: set[str] = set()
        self._epochs: dict[str, int] = {}
        self._defaults: dict[str, Signal] = {}
        self.judged: list[Judged] = []
        self.said: list[Said] = []
        self.signals: dict[str, dict[str, Signal]] = {}
        """User id → facet → the newest signal; nothing of the wiped."""
        self.feedback: Counter[str] = Counter()
        """How many of each user's pieces of feedback were learned from since their last wipe."""

    def take(self, arrival: Arrival) -> None:
        """Take in one record."""
        self._now_ms = arrival.at_ms
        self._records += 1
        examples, writes, versions = self._through(Record(_ORIGIN, self._records, arrival.line))
        for example in examples:
            self._note(example)
        for write in writes:
            self._apply(write)
        for version in versions:
            self._defaults = {facet: decode_signal(data) for facet, data in version.defaults}

    def adaptation(self, user_id: str) -> Adaptation:
        """Return what Copilot reads of one user now."""
        signals = self.signals.get(user_id, {})
        status: Status = "opted_out" if user_id in self._opted_out else "fresh" if signals else "absent"
        return Adaptation(status, signals, None, self._defaults, self._catalogue)

    def _through(self, record: Record) -> tuple[Sequence[Example], Sequence[Write], Sequence[PopulationWrite]]:
        """Return what a record has to teach, what is written because of it, and new versions of the population."""
        examples: list[Example] = []
        writes: list[Write] = []
        for group in self._parse([record]):
            if not isinstance(group, Reject):
                touched, _ = self._adapt.observe([group[1]])
                examples += self._adapt.take_examples()
                writes += self._adapt.take_writes(touched)
        if self._learn is None or not examples:
            return examples, writes, ()
        versions, _ = self._learn.on_batch([[pack_example(example) for example in examples]])
        return examples, writes, versions

    def _note(self, e: Example) -> None:
        user_id, served = self._user_ids[e.user], _served(e.slots, self._catalogue)
        self.judged.append(Judged(user_id, e.at_ms, self._topics.get(e.topic), served, e.p, e.liked))
        self.feedback[user_id] += 1
        self._judged_ever[user_id] += 1

    def _apply(self, write: Write) -> None:
        user_id = self._user_ids[write.user]
        if isinstance(write, GateWrite):
            self._apply_gate(user_id, write)
        elif user_id not in self._opted_out:
            self._apply_signals(user_id, write)

    def _apply_gate(self, user_id: str, gate: GateWrite) -> None:
        if gate.wiped_ms > self._epochs.get(user_id, 0) or gate.opted_out:
            self.signals.pop(user_id, None)
            self.feedback.pop(user_id, None)
        self._epochs[user_id] = gate.wiped_ms
        (self._opted_out.add if gate.opted_out else self._opted_out.discard)(user_id)

    def _apply_signals(self, user_id: str, write: SignalWrite) -> None:
        for facet, data in write.fields:
            if facet != PROFILE:
                signal = decode_signal(data)
                self.signals.setdefault(user_id, {})[facet] = signal
                self.said.append(Said(user_id, facet, signal, self._judged_ever[user_id]))

    def _clock(self) -> int:
        return self._now_ms


def _served(slots: Iterable[int], catalogue: NumberedCatalogue) -> dict[str, list[str]]:
    served: dict[str, list[str]] = {}
    for slot in slots:
        served.setdefault(catalogue.facet_names[catalogue.slot_facets[slot]], []).append(catalogue.slots[slot].value)
    return served
