"""Puts all lives in one stream: who does what when, and when it arrives."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.events.records import Reason
from tacit_lab.simulate.control_events import control_events
from tacit_lab.simulate.events import Arrival, Kind, Made, encode
from tacit_lab.simulate.faults import Faults
from tacit_lab.simulate.scenario import HOUR_MS, MINUTE_MS, Scenario
from tacit_lab.simulate.serving import Serve
from tacit_lab.simulate.truth import Truth
from tacit_lab.simulate.turns import Step, Turns, Visit, visits
from tacit_lab.simulate.users import SimulatedUser, SimulatedUsers

MAX_DELAY_MS = 2 * HOUR_MS
"""From happening to arrival, for events that are out of order."""

MAX_REPEAT_MS = 10 * MINUTE_MS
"""From an event's arrival to its duplicate's."""

_LATENCY_MS = 1500
_MIN_DELAY_MS = MINUTE_MS
_MAX_RECORDS = 1024
"""Of one visit: more than a dozen turns can have, whatever goes wrong with them."""
_ACTIVITY_SD = 1.0
"""Of the logarithm of users' numbers of turns."""


class ControlMoment(NamedTuple):
    """A control event of one user, by its place among theirs."""

    at_ms: int
    user: int
    place: int


@dataclass(frozen=True)
class Simulation:
    """A scenario played out; the same scenario and catalogue make the same bytes.

    Nothing is kept but the times of all visits and what is under way: about 150 bytes a visit of four turns.
    """

    scenario: Scenario
    catalogue: NumberedCatalogue
    users: SimulatedUsers
    truth: Truth

    @property
    def events(self) -> Iterator[bytes]:
        """The records in the order in which they arrive, each a line without its newline."""
        return (arrival.line for arrival in self.arrivals())

    def arrivals(self, serve: Serve | None = None) -> Iterator[Arrival]:
        """Return the records with what each was made as; an event arrives at most hours after it happened.

        With `serve` the loop is closed: it is asked for the style of each turn when all records that arrive before that
        turn have been taken, and no other.
        """
        pending: list[Arrival] = []
        lives = _Lives(self._schedule(), _Sending(self, serve))
        while (now_ms := lives.next_ms) is not None:
            while pending and pending[0].at_ms < now_ms:
                yield heappop(pending)
            for arrival in lives.step():
                heappush(pending, arrival)
        yield from sorted(pending)

    def _schedule(self) -> list[Visit | ControlMoment]:
        """Return all users' visits and words by time."""
        schedule: list[Visit | ControlMoment] = []
        for number, turns in enumerate(_turns_per_user(self.scenario)):
            user = self.users.user(number)
            schedule += visits(self.scenario, number, user.joined_at, turns)
            schedule += (
                ControlMoment(made.at_ms, number, index)
                for index, made in enumerate(control_events(self.scenario, number, user))
            )
        schedule.sort()
        return schedule


class _Lives:
    """All users' visits and words, step by step in time order: those to come, and the visits that are under way."""

    def __init__(self, schedule: list[Visit | ControlMoment], sending: "_Sending") -> None:
        self._schedule = schedule
        self._sending = sending
        self._begun = 0
        self._under_way: list[tuple[int, int, Iterator[_Sent]]] = []
        """A heap by time and place in the schedule."""

    @property
    def next_ms(self) -> int | None:
        """When something happens next; None: everything has happened."""
        times = [moment.at_ms for moment in self._schedule[self._begun : self._begun + 1]]
        times += [at_ms for at_ms, _, _ in self._under_way[:1]]
        return min(times, default=None)

    def step(self) -> list[Arrival]:
        """Return the records of what happens next."""
        if self._under_way and self._under_way[0][0] == self.next_ms:
            _, place, steps = heappop(self._under_way)
        else:
            place, steps = self._begun, self._sending.steps(self._begun, self._schedule[self._begun])
            self._begun += 1
        sent = next(steps)
        if sent.next_ms is not None:
            heappush(self._under_way, (sent.next_ms, place, steps))
        return sent.arrivals


class _Sent(NamedTuple):
    """What arrives because of one step."""

    arrivals: list[Arrival]
    next_ms: int | None
    """When the next step of the same visit is due."""


class _Sending:
    """What happens to events on their way: delays, repeats and faults, from seeds of their own."""

    def __init__(self, simulation: Simulation, serve: Serve | None) -> None:
        scenario, catalogue = simulation.scenario, simulation.catalogue
        self._scenario = scenario
        self._users = simulation.users
        self._serve = serve
        self._turns = Turns(scenario, catalogue, simulation.users.topic_effects)
        self._faults = Faults(scenario, catalogue)

    def steps(self, place: int, moment: Visit | ControlMoment) -> Iterator[_Sent]:
        """Return what arrives because of a visit or a word, turn by turn; `place` is the moment's in the schedule."""
        user = self._users.user(moment.user)
        kind = "visit" if isinstance(moment, Visit) else "word"
        random = Random(f"{self._scenario.seed}/sending/{kind}/{moment.user}/{moment.place}")
        numbers = count(place * _MAX_RECORDS)
        for made, next_ms in self._steps(user, moment):
            records = [record for event in made for record in self._sent(random, user, event)]
            arrivals = [Arrival(at_ms, next(numbers), made_as, line) for at_ms, made_as, line in records]
            yield _Sent(arrivals, next_ms)

    def _steps(self, user: SimulatedUser, moment: Visit | ControlMoment) -> Iterator[Step]:
        if isinstance(moment, ControlMoment):
            return iter([Step([control_events(self._scenario, moment.user, user)[moment.place]], None)])
        return self._turns.steps(user, moment, self._serve)

    def _sent(self, random: Random, user: SimulatedUser, made: Made) -> Iterator[tuple[int, Kind | Reason, bytes]]:
        line = encode(made.event)
        arrives_ms = made.at_ms + self._delay_ms(random, made.kind)
        yield arrives_ms, made.kind, line
        if random.random() < self._scenario.duplicates:
            yield arrives_ms + random.randint(1, MAX_REPEAT_MS), Kind.DUPLICATE, line
        if made.kind is Kind.TURN:
            for reason, broken in self._faults.of(random, user, made.event, made.at_ms):
                yield arrives_ms + 1, reason, broken

    def _delay_ms(self, random: Random, kind: Kind) -> int:
        if kind is Kind.TURN and random.random() < self._scenario.out_of_order:
            return random.randint(_MIN_DELAY_MS, MAX_DELAY_MS)
        return int(random.random() * _LATENCY_MS)


def _turns_per_user(scenario: Scenario) -> Iterator[int]:
    """Share out the turns: many have few, few have many; one each if there are enough, and exactly all in all."""
    random = Random(f"{scenario.seed}/activity")
    weights = [random.lognormvariate(0, _ACTIVITY_SD) for _ in range(scenario.users)]
    least = 1 if scenario.turns >= scenario.users else 0
    left, total = scenario.turns - least * scenario.users, sum(weights)
    sum_of_weights, given = 0.0, 0
    for weight in weights:
        sum_of_weights += weight
        upto = round(left * sum_of_weights / total)
        yield least + upto - given
        given = upto
