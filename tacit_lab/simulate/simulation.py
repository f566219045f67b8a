"""Simulation: the visits and control events of all users as one stream of arrivals."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.events.records import Reason
from tacit_lab.simulate.control_events import control_events
from tacit_lab.simulate.events import Arrival, Kind, SimulatedEvent, encode
from tacit_lab.simulate.faults import Faults
from tacit_lab.simulate.scenario import HOUR_MS, MINUTE_MS, Scenario
from tacit_lab.simulate.serving import Serve
from tacit_lab.simulate.truth import Truth
from tacit_lab.simulate.turns import Step, Turns, Visit, visits
from tacit_lab.simulate.users import SimulatedUser, SimulatedUsers

MAX_DELAY_MS = 2 * HOUR_MS
"""Longest time from event time to arrival, for events out of order."""

MAX_REPEAT_MS = 10 * MINUTE_MS
"""Longest time from the arrival of an event to that of its duplicate."""

_LATENCY_MS = 1500
_MIN_DELAY_MS = MINUTE_MS
_MAX_RECORDS = 1024
"""Limit of the records of one visit: above the number for 12 turns with every fault."""
_ACTIVITY_SD = 1.0
"""Standard deviation of the logarithm of a user's count of turns."""


class ControlMoment(NamedTuple):
    """A control event of one user, by its number among the user's control events."""

    at_ms: int
    user: int
    number: int


@dataclass(frozen=True)
class Simulation:
    """Events of a scenario; the same scenario and catalogue give the same bytes.

    Memory holds the times of all visits and the records in flight: about 150 bytes per visit of four turns.
    """

    scenario: Scenario
    catalogue: NumberedCatalogue
    users: SimulatedUsers
    truth: Truth

    @property
    def events(self) -> Iterator[bytes]:
        """Records in order of arrival, each a line without its newline."""
        return (arrival.line for arrival in self.arrivals())

    def arrivals(self, serve: Serve | None = None) -> Iterator[Arrival]:
        """Yield records in order of arrival; an event arrives at most hours after its event time.

        With `serve` the loop is closed: `serve` chooses the style of each turn after the caller has taken every record
        that arrives before the turn, and no other record.
        """
        pending: list[Arrival] = []
        moments = _Moments(self._schedule(), _Delivery(self, serve))
        while (now_ms := moments.next_ms) is not None:
            while pending and pending[0].at_ms < now_ms:
                yield heappop(pending)
            for arrival in moments.step():
                heappush(pending, arrival)
        yield from sorted(pending)

    def _schedule(self) -> list[Visit | ControlMoment]:
        """Return the visits and control events of all users, by time."""
        schedule: list[Visit | ControlMoment] = []
        for number, turns in enumerate(_turns_per_user(self.scenario)):
            user = self.users.user(number)
            schedule += visits(self.scenario, number, user.joined_at, turns)
            schedule += (
                ControlMoment(event.at_ms, number, index)
                for index, event in enumerate(control_events(self.scenario, number, user))
            )
        schedule.sort()
        return schedule


class _Moments:
    """Visits and control events of all users, in order of time: those in progress, and those that follow."""

    def __init__(self, schedule: list[Visit | ControlMoment], delivery: "_Delivery") -> None:
        self._schedule = schedule
        self._delivery = delivery
        self._started = 0
        self._in_progress: list[tuple[int, int, Iterator[_StepArrivals]]] = []
        """Heap by time and index in the schedule."""

    @property
    def next_ms(self) -> int | None:
        """Time of the next step; None after the last one."""
        times = [moment.at_ms for moment in self._schedule[self._started : self._started + 1]]
        times += [at_ms for at_ms, _, _ in self._in_progress[:1]]
        return min(times, default=None)

    def step(self) -> list[Arrival]:
        """Return the records of the next step."""
        if self._in_progress and self._in_progress[0][0] == self.next_ms:
            _, index, steps = heappop(self._in_progress)
        else:
            index, steps = self._started, self._delivery.steps(self._started, self._schedule[self._started])
            self._started += 1
        step = next(steps)
        if step.next_ms is not None:
            heappush(self._in_progress, (step.next_ms, index, steps))
        return step.arrivals


class _StepArrivals(NamedTuple):
    """Arrivals of one step."""

    arrivals: list[Arrival]
    next_ms: int | None
    """Time of the next step of the visit; None after the last one."""


class _Delivery:
    """Delays, duplicates and faults between events and arrivals, from separate seeds."""

    def __init__(self, simulation: Simulation, serve: Serve | None) -> None:
        scenario, catalogue = simulation.scenario, simulation.catalogue
        self._scenario = scenario
        self._users = simulation.users
        self._serve = serve
        self._turns = Turns(scenario, catalogue, simulation.users.topic_effects)
        self._faults = Faults(scenario, catalogue)

    def steps(self, index: int, moment: Visit | ControlMoment) -> Iterator[_StepArrivals]:
        """Yield the arrivals of a visit or a control event, turn by turn; `index` is the position in the schedule."""
        user = self._users.user(moment.user)
        kind = "visit" if isinstance(moment, Visit) else "word"
        random = Random(f"{self._scenario.seed}/sending/{kind}/{moment.user}/{moment.number}")
        numbers = count(index * _MAX_RECORDS)
        for events, next_ms in self._steps(user, moment):
            records = [record for event in events for record in self._records(random, user, event)]
            arrivals = [Arrival(at_ms, next(numbers), made_as, line) for at_ms, made_as, line in records]
            yield _StepArrivals(arrivals, next_ms)

    def _steps(self, user: SimulatedUser, moment: Visit | ControlMoment) -> Iterator[Step]:
        if isinstance(moment, ControlMoment):
            return iter([Step([control_events(self._scenario, moment.user, user)[moment.number]], None)])
        return self._turns.steps(user, moment, self._serve)

    def _records(
        self, random: Random, user: SimulatedUser, event: SimulatedEvent
    ) -> Iterator[tuple[int, Kind | Reason, bytes]]:
        line = encode(event.event)
        arrives_ms = event.at_ms + self._delay_ms(random, event.kind)
        yield arrives_ms, event.kind, line
        if random.random() < self._scenario.duplicates:
            yield arrives_ms + random.randint(1, MAX_REPEAT_MS), Kind.DUPLICATE, line
        if event.kind is Kind.TURN:
            for reason, broken in self._faults.of(random, user, event.event, event.at_ms):
                yield arrives_ms + 1, reason, broken

    def _delay_ms(self, random: Random, kind: Kind) -> int:
        if kind is Kind.TURN and random.random() < self._scenario.out_of_order:
            return random.randint(_MIN_DELAY_MS, MAX_DELAY_MS)
        return int(random.random() * _LATENCY_MS)


def _turns_per_user(scenario: Scenario) -> Iterator[int]:
    """Yield the count of turns of each user, log-normal: at least one if there are enough, and exact in total."""
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
