"""A deployment in one process: from a record to an assistant's adaptation, without the engine and without Redis.

Only `_process` calls the code that learns.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from operators.adapt import Adapt
from operators.parse import Parser
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.events.records import FileOrigin, Record
from state.learning.example import Example, Message
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_version import PopulationWrite
from state.storage.shard_stores import ShardStores
from state.user.rules import Rules
from state.user.writes import GateWrite, SignalWrite, Write
from tacit.contract.gates import Consents, Gate
from tacit.contract.pseudonyms import pseudonym
from tacit.contract.signals import PROFILE, Signal, decode_signal
from tacit.reader.adaptation import Adaptation, Status
from tacit.reader.choice import Choice
from tacit.reader.pins import with_pins
from tacit_lab.evaluate.one_shard import OneShard
from tacit_lab.simulate import Arrival, Simulation, Style, TurnRequest

_SECRET = b"0123456789abcdef"
_ORIGIN = FileOrigin("simulation")
_ONE_SHARD = 1


class Prediction(NamedTuple):
    """The prediction for one answer before training, and the user's feedback."""

    user_id: str
    at_ms: int
    topic: str | None
    served: Style
    p: float
    """Predicted probability of a like, 0–1."""
    liked: bool


class EmittedSignal(NamedTuple):
    """One write of a signal."""

    user_id: str
    facet: str
    signal: Signal
    feedback_count: int
    """Number of the user's feedbacks that trained the model before this write."""


class Deployment:
    """A deployment that processes one simulated stream, with its current signals.

    Signals do not expire. The clock is that of the stream, so population versions are published as often as in a live
    deployment.
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
        self._adapt = Adapt(stores, rules, counters.events, self._parse, shared=shared)
        self._learn = OneShard(catalogue, shared, counters.learning, clock=self._clock) if learns_population else None
        self._records = 0
        self._feedback_ever: Counter[str] = Counter()
        self._opted_out: set[str] = set()
        self._gates: dict[str, Gate] = {}
        self._defaults: dict[str, Signal] = {}
        self.predictions: list[Prediction] = []
        self.emitted: list[EmittedSignal] = []
        self.signals: dict[str, dict[str, Signal]] = {}
        """User id → facet → the newest signal; a wipe removes the user."""
        self.feedback: Counter[str] = Counter()
        """User id → number of feedbacks that trained the model since the user's last wipe."""

    def take(self, arrival: Arrival) -> None:
        """Process one record."""
        self._now_ms = arrival.at_ms
        self._records += 1
        examples, writes, versions = self._process(Record(_ORIGIN, self._records, arrival.line))
        for example in examples:
            self._add_prediction(example)
        for write in writes:
            self._apply(write)
        for version in versions:
            self._defaults = {facet: decode_signal(data) for facet, data in version.defaults}

    def adaptation(self, user_id: str) -> Adaptation:
        """Return the adaptation that an assistant reads for a user now."""
        pins = {} if user_id in self._opted_out else self._gates.get(user_id, Gate()).pins
        signals = with_pins(self.signals.get(user_id, {}), pins, self._defaults, self._catalogue)
        status: Status = "opted_out" if user_id in self._opted_out else "fresh" if signals else "absent"
        gate = self._gates.get(user_id, Gate())
        consent = Consents(gate.learn.state, gate.use.state, gate.explore.state)
        return Adaptation(status, signals, None, self._defaults, self._catalogue, consent)

    def choose(self, request: TurnRequest, *, with_context: bool = True) -> Choice:
        """Return the choice of an assistant for a turn; without context, topic and surface are withheld."""
        topic, surface = (request.topic, request.surface) if with_context else (None, None)
        return self.adaptation(request.user_id).choose(request.unit, topic=topic, surface=surface)

    @property
    def default_style(self) -> Style:
        """Style of a user without signals now: the learned defaults, and the catalogue's for other facets."""
        return Adaptation("absent", {}, None, self._defaults, self._catalogue).choose("", explore=False).values

    def _process(self, record: Record) -> tuple[Sequence[Example], Sequence[Write], Sequence[PopulationWrite]]:
        """Return the training examples, the writes and the new population versions of a record."""
        messages: list[Message] = []
        writes: list[Write] = []
        observations, records, _ = self._parse([record])
        if observations:
            found, _ = self._adapt.observe(observations, records)
            writes += found
            messages += self._adapt.take_messages()
        examples = [message for message in messages if isinstance(message, Example)]
        if self._learn is None or not messages:
            return examples, writes, ()
        return examples, writes, self._learn.take(messages)

    def _add_prediction(self, e: Example) -> None:
        user_id, served = self._user_ids[e.user], _served(e.slots, self._catalogue)
        self.predictions.append(Prediction(user_id, e.at_ms, self._topics.get(e.topic), served, e.p, e.liked))
        self.feedback[user_id] += 1
        self._feedback_ever[user_id] += 1

    def _apply(self, write: Write) -> None:
        user_id = self._user_ids[write.user]
        if isinstance(write, GateWrite):
            self._apply_gate(user_id, write.gate)
        elif user_id not in self._opted_out:
            self._apply_signals(user_id, write)

    def _apply_gate(self, user_id: str, gate: Gate) -> None:
        opted_out = gate.use.state == "denied"
        if gate.wiped_ms > self._gates.get(user_id, Gate()).wiped_ms or opted_out:
            self.signals.pop(user_id, None)
            self.feedback.pop(user_id, None)
        self._gates[user_id] = gate
        (self._opted_out.add if opted_out else self._opted_out.discard)(user_id)

    def _apply_signals(self, user_id: str, write: SignalWrite) -> None:
        for facet, data in write.fields:
            if facet != PROFILE:
                signal = decode_signal(data)
                self.signals.setdefault(user_id, {})[facet] = signal
                self.emitted.append(EmittedSignal(user_id, facet, signal, self._feedback_ever[user_id]))

    def _clock(self) -> int:
        return self._now_ms


def _served(slots: Iterable[int], catalogue: NumberedCatalogue) -> dict[str, list[str]]:
    served: dict[str, list[str]] = {}
    for slot in slots:
        served.setdefault(catalogue.facet_names[catalogue.slot_facets[slot]], []).append(catalogue.slots[slot].value)
    return served
