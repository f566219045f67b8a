"""Puts all lives in one stream: who does what when, and when it arrives."""

from collections.abc import Iterator
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import NamedTuple

from state.catalogue import Catalogue
from state.records import Reason
from tacit.simulate.events import Arrival, Kind, Made, encode
from tacit.simulate.faults import Faults
from tacit.simulate.people import People, Person
from tacit.simulate.scenario import HOUR_MS, MINUTE_MS, Scenario
from tacit.simulate.truth import Truth
from tacit.simulate.turns import Turns, Visit, visits
from tacit.simulate.words import words

MAX_DELAY_MS = 2 * HOUR_MS
"""From happening to arrival, for events that are out of order."""

MAX_REPEAT_MS = 10 * MINUTE_MS
"""From an event's arrival to its duplicate's."""

_LATENCY_MS = 1500
_MIN_DELAY_MS = MINUTE_MS
_ACTIVITY_SD = 1.0
"""Of the logarithm of people's numbers of turns."""


class Word(NamedTuple):
    """A control event of one person, by its place among theirs."""

    at_ms: int
    person: int
    place: int


@dataclass(frozen=True)
class Simulation:
    """A scenario played out; the same scenario and catalogue make the same bytes.

    Nothing is kept but the times of all visits and what is under way: about 150 bytes a visit of four turns.
    """

    scenario: Scenario
    catalogue: Catalogue
    people: People
    truth: Truth

    @property
    def events(self) -> Iterator[bytes]:
        """The records in the order in which they arrive, each a line without its newline."""
        return (arrival.line for arrival in self.arrivals())

    def arrivals(self) -> Iterator[Arrival]:
        """Return the records with what each was made as; an event arrives at most hours after it happened."""
        pending: list[Arrival] = []
        numbers = count()
        sending = _Sending(self)
        for moment in self._schedule():
            while pending and pending[0].at_ms <= moment.at_ms:
                yield heappop(pending)
            for at_ms, made_as, line in sending.records(moment):
                heappush(pending, Arrival(at_ms, next(numbers), made_as, line))
        yield from sorted(pending)

    def _schedule(self) -> list[Visit | Word]:
        """Return everyone's visits and words by time."""
        schedule: list[Visit | Word] = []
        for number, turns in enumerate(_turns_per_person(self.scenario)):
            person = self.people.person(number)
            schedule += visits(self.scenario, number, person.joined_at, turns)
            schedule += (
                Word(made.at_ms, number, index) for index, made in enumerate(words(self.scenario, number, person))
            )
        schedule.sort()
        return schedule


class _Sending:
    """What happens to events on their way: delays, repeats and faults, from seeds of their own."""

    def __init__(self, simulation: Simulation) -> None:
        scenario, catalogue = simulation.scenario, simulation.catalogue
        self._scenario = scenario
        self._people = simulation.people
        self._turns = Turns(scenario, catalogue, simulation.people.topic_effects)
        self._faults = Faults(scenario, catalogue)

    def records(self, moment: Visit | Word) -> Iterator[tuple[int, Kind | Reason, bytes]]:
        """Return what arrives because of a visit or a word, with times of arrival."""
        person = self._people.person(moment.person)
        kind = "visit" if isinstance(moment, Visit) else "word"
        random = Random(f"{self._scenario.seed}/sending/{kind}/{moment.person}/{moment.place}")
        if isinstance(moment, Word):
            yield from self._sent(random, person, words(self._scenario, moment.person, person)[moment.place])
            return
        for made in self._turns.events(person, moment):
            yield from self._sent(random, person, made)

    def _sent(self, random: Random, person: Person, made: Made) -> Iterator[tuple[int, Kind | Reason, bytes]]:
        line = encode(made.event)
        arrives_ms = made.at_ms + self._delay_ms(random, made.kind)
        yield arrives_ms, made.kind, line
        if random.random() < self._scenario.duplicates:
            yield arrives_ms + random.randint(1, MAX_REPEAT_MS), Kind.DUPLICATE, line
        if made.kind is Kind.TURN:
            for reason, broken in self._faults.of(random, person, made.event, made.at_ms):
                yield arrives_ms + 1, reason, broken

    def _delay_ms(self, random: Random, kind: Kind) -> int:
        if kind is Kind.TURN and random.random() < self._scenario.out_of_order:
            return random.randint(_MIN_DELAY_MS, MAX_DELAY_MS)
        return int(random.random() * _LATENCY_MS)


def _turns_per_person(scenario: Scenario) -> Iterator[int]:
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
