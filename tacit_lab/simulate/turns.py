"""Visits, turns and feedback of simulated users, as events of the contract."""

from collections.abc import Iterator, Mapping, Sequence
from random import Random
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.catalogue import Facet
from tacit.reader.choice import Choice, Followed
from tacit_lab.simulate.events import Event, Kind, SimulatedEvent
from tacit_lab.simulate.scenario import DAY_MS, HOUR_MS, MINUTE_MS, Scenario
from tacit_lab.simulate.serving import Serve, TurnRequest
from tacit_lab.simulate.tastes import Utilities, best, worths
from tacit_lab.simulate.users import SimulatedUser

Served = dict[str, list[str]]
"""Facet → values of an answer: one, or up to three of a `multiple` facet."""

_VISIT_TURNS = 12
_VISIT_MS = 70 * MINUTE_MS
_FIRST_TURN_MS = 5_000
"""Time from joining, with the consent, to the first turn."""
_TURN_GAP_MS = (20_000, 120_000, 5 * MINUTE_MS)
"""Time between turns: minimum, mean above the minimum, maximum."""
_FEEDBACK_MS = (10_000, 5 * MINUTE_MS)
"""Limits of the time from a turn to feedback in a second event."""
_PEAK_HOURS = (9.5, 14.0, 20.0)
_SAME_TOPIC = 0.8
_USUAL_SURFACE = 0.7
_SERVED_AT_ONCE = 3


class Visit(NamedTuple):
    """A burst of turns of one user, minutes apart."""

    at_ms: int
    user: int
    number: int
    turns: int


class Turn(NamedTuple):
    """One answer, before its feedback."""

    id: str
    at_ms: int
    topic: str | None
    served: Served
    acted_on: Sequence[Followed] = ()


class Step(NamedTuple):
    """Events of one turn of a visit."""

    events: list[SimulatedEvent]
    """The turn, then any feedback in a second event."""
    next_ms: int | None
    """Time of the next turn; None after the last one."""


def visits(scenario: Scenario, number: int, joined_at: int, turns: int) -> Iterator[Visit]:
    """Yield a user's visits from joining to the end, around the user's preferred hour of the day."""
    random = Random(f"{scenario.seed}/visits/{number}")
    peak = random.choice(_PEAK_HOURS)
    latest = scenario.end_ms - _VISIT_MS
    days = (latest - joined_at) / DAY_MS
    at, index = joined_at + _FIRST_TURN_MS, 0
    while turns:
        size = min(turns, _VISIT_TURNS, 1 + int(random.expovariate(1 / 3.5)))
        yield Visit(at, number, index, size)
        turns, index = turns - size, index + 1
        midnight = (joined_at // DAY_MS + int(random.random() * days)) * DAY_MS
        hour = random.gauss(peak, 2.0) % 24
        at = min(max(midnight + int(hour * HOUR_MS), joined_at + 10 * MINUTE_MS), latest)


class Turns:
    """Events of visits; each visit has its own seed, so the order of the calls has no influence."""

    def __init__(
        self, scenario: Scenario, catalogue: NumberedCatalogue, topic_effects: Mapping[str, Utilities]
    ) -> None:
        self._scenario = scenario
        self._catalogue = catalogue
        self._topic_effects = topic_effects
        self._likes = _kinds(catalogue, label=True)
        self._dislikes = _kinds(catalogue, label=False)

    def steps(self, user: SimulatedUser, visit: Visit, serve: Serve | None = None) -> Iterator[Step]:
        """Yield the turns of a visit; each turn, and the call of `serve` for its style, happens on demand.

        Without `serve` the styles are random.
        """
        random = Random(f"{self._scenario.seed}/visit/{visit.user}/{visit.number}")
        at_ms, topic = visit.at_ms, _pick_topic(random, user)
        surface = self._surface(random, user)
        pinned = user.pinned(at_ms)
        unit = f"{self._scenario.seed:x}-{visit.user:x}-{visit.number:x}"
        for number in range(visit.turns):
            request = TurnRequest(user.user_id, unit, at_ms, topic, surface)
            served, acted_on = self._drawn(random, pinned) if serve is None else _chosen(serve(request))
            turn = Turn(f"{unit}-{number:x}", at_ms, topic, served, acted_on)
            events = list(self._events(random, user, surface, turn))
            least, mean, most = _TURN_GAP_MS
            at_ms += min(most, least + int(random.expovariate(1 / mean)))
            topic = topic if random.random() < _SAME_TOPIC else _pick_topic(random, user)
            yield Step(events, at_ms if number + 1 < visit.turns else None)

    def _events(self, random: Random, user: SimulatedUser, surface: str | None, turn: Turn) -> Iterator[SimulatedEvent]:
        event = self._event(user, surface, turn)
        feedback = self._feedback(random, user, turn) if random.random() < self._scenario.feedback else None
        if feedback is None:
            yield SimulatedEvent(turn.at_ms, Kind.TURN, event)
        elif random.random() >= self._scenario.later_feedback:
            yield SimulatedEvent(turn.at_ms, Kind.TURN, event | {"feedback": feedback})
        else:
            yield SimulatedEvent(turn.at_ms, Kind.TURN, event)
            at_ms = turn.at_ms + random.randint(*_FEEDBACK_MS)
            yield SimulatedEvent(
                at_ms, Kind.FEEDBACK, event | {"event_id": f"{turn.id}-f", "at": at_ms, "feedback": feedback}
            )

    def _event(self, user: SimulatedUser, surface: str | None, turn: Turn) -> Event:
        facets = self._catalogue.facets
        event: Event = {
            "schema": 1,
            "event_id": turn.id,
            "type": "interaction",
            "user_id": user.user_id,
            "at": turn.at_ms,
            "region": self._scenario.region,
            "turn_id": turn.id,
            "locale": user.locale,
            "served": {name: values if facets[name].multiple else values[0] for name, values in turn.served.items()},
        }
        if surface is not None:
            event["surface"] = surface
        if turn.topic is not None:
            event["topic"] = turn.topic
        if turn.acted_on:
            event["acted_on"] = turn.acted_on
        return event

    def _surface(self, random: Random, user: SimulatedUser) -> str | None:
        if user.surface is None or random.random() < _USUAL_SURFACE:
            return user.surface
        return random.choice(self._catalogue.surfaces.values)

    def _drawn(self, random: Random, pinned: Mapping[str, str]) -> tuple[Served, Sequence[Followed]]:
        """Draw the style of an answer; a pinned facet has the pinned value."""
        explored = random.random() < self._scenario.explored
        served: Served = {}
        for name, facet in self._catalogue.facets.items():
            if name in pinned:
                served[name] = [pinned[name]]
            elif facet.default is None or explored:
                served[name] = _draw(random, facet)
            else:
                served[name] = [facet.default]
        return served, ()

    def _feedback(self, random: Random, user: SimulatedUser, turn: Turn) -> Event | None:
        utilities = self._utilities(user, turn)
        if random.random() < user.chance(utilities, turn.served):
            return _kind_drawn(random, self._likes)
        preferred = best(utilities)
        if random.random() < self._scenario.directed and (kinds := self._directed_kinds(turn.served, preferred)):
            return {"kind": random.choice(kinds)}
        dislike = _kind_drawn(random, self._dislikes)
        if dislike is None or not turn.served or random.random() >= self._scenario.narrowed:
            return dislike
        worth = worths(utilities, turn.served)
        return dislike | {
            "facets": [max(turn.served, key=lambda facet: utilities[facet][preferred[facet]] - worth[facet])]
        }

    def _utilities(self, user: SimulatedUser, turn: Turn) -> Utilities:
        topic = turn.topic
        effects = {} if topic is None else user.effects_on(topic, self._topic_effects[topic])
        return user.utilities(turn.at_ms, effects)

    def _directed_kinds(self, served: Served, preferred: Mapping[str, str]) -> list[str]:
        """Return the kinds of directed feedback toward the preferred values."""
        return [
            name
            for name, kind in self._catalogue.feedback.items()
            for facet, direction in kind.moves.items()
            if facet in served
            and direction == _direction(self._catalogue.facets[facet].values, served[facet][0], preferred[facet])
        ]


def _chosen(choice: Choice) -> tuple[Served, Sequence[Followed]]:
    return {facet: [value] for facet, value in choice.values.items()}, choice.acted_on


def _draw(random: Random, facet: Facet) -> list[str]:
    if not facet.multiple:
        return [facet.values[int(random.random() * len(facet.values))]]
    return random.sample(facet.values, random.randint(1, min(_SERVED_AT_ONCE, len(facet.values))))


def _pick_topic(random: Random, user: SimulatedUser) -> str | None:
    if not user.topics:
        return None
    return random.choices(list(user.topics), list(user.topics.values()))[0]


def _direction(values: tuple[str, ...], served: str, best: str) -> str | None:
    step = values.index(best) - values.index(served)
    return None if step == 0 else "up" if step > 0 else "down"


def _kinds(catalogue: NumberedCatalogue, *, label: bool) -> dict[str, float]:
    """Return the relative frequency of each kind of like or dislike: the lower the weight, the higher the frequency."""
    return {name: 1 / kind.weight for name, kind in catalogue.feedback.items() if kind.label is label}


def _kind_drawn(random: Random, kinds: Mapping[str, float]) -> Event | None:
    if not kinds:
        return None
    return {"kind": random.choices(list(kinds), list(kinds.values()))[0]}
