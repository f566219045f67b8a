"""Random streams: events of several users, with all that may happen between them."""

from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any, NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE, Kind, Observation
from state.events.records import CLOCK_TOLERANCE_MS
from state.learning.population_version import PopulationVersion
from tacit.contract.activity import DAY_MS, HOUR_MS, MINUTE_MS
from tacit.contract.events import MAX_AT_MS, MIN_AT_MS
from tests.reference.catalogues import CatalogueFile, population_version

START_MS = 20_779 * DAY_MS
IDLE_MS, GRACE_MS = 90 * DAY_MS, 30 * DAY_MS
ITEMS = 5
REPEATED = (1, 2, 5, 63, 64, 65, 66)
"""Events of the user and the kind since a repeated one: the state remembers 64."""

_STEPS_MS = (0, 1, 999, 60_000, 299_999, 300_000, 30 * MINUTE_MS - 1, 30 * MINUTE_MS, 30 * MINUTE_MS + 1)
_LEAPS_MS = (HOUR_MS, 23 * HOUR_MS, DAY_MS, DAY_MS + 30 * MINUTE_MS, 8 * DAY_MS, 16 * DAY_MS)
_ABSENCES_MS = tuple(IDLE_MS + more for more in (0, 1, DAY_MS, GRACE_MS, GRACE_MS + 1, 400 * DAY_MS))
_LATE_MS = (1, 1_000, 10 * MINUTE_MS, 30 * MINUTE_MS, 5 * HOUR_MS, DAY_MS, DAY_MS + 1, 2 * DAY_MS)
_WRONG_MS = (MIN_AT_MS, MAX_AT_MS, 4_294_967_296_000, START_MS + 5_000 * DAY_MS)


class Settings(NamedTuple):
    """Settings of a deployment."""

    ttl_ms: int | None
    lateness_ms: int
    teaches: bool
    proves: bool


class Cut(NamedTuple):
    """The end of a batch."""


class Reload(NamedTuple):
    """The end of a batch; all users are saved and loaded."""


class NewCatalogue(NamedTuple):
    """A restart with another catalogue."""

    catalogue: NumberedCatalogue


class NewVersion(NamedTuple):
    """A new version of the population, from the next batch on."""

    version: PopulationVersion


Step = Observation | Cut | Reload | NewCatalogue | NewVersion


class Stream(NamedTuple):
    """A stream, which begins with a catalogue."""

    settings: Settings
    steps: Sequence[Step]


def random_stream(random: Random, most: int = 200, *, is_calm: bool = False) -> Stream:
    """Return a stream of up to `most` events; a calm one has as many, and nothing that ends a user's state."""
    settings = Settings(
        ttl_ms=random.choice([None, HOUR_MS, DAY_MS, 30 * DAY_MS]),
        lateness_ms=random.choice([DAY_MS, DAY_MS, HOUR_MS, 3 * DAY_MS]),
        teaches=random.random() < 0.7,
        proves=random.random() < 0.7,
    )
    events = most if is_calm else random.randint(1, most)
    return Stream(settings, list(_steps(random, events, is_calm)))


def _steps(random: Random, events: int, is_calm: bool) -> Iterator[Step]:
    file, changes = CatalogueFile(random), 0.0 if is_calm else random.choice([0.0, 0.0, 0.02, 0.1])
    writer, numbers = Events(random, file.numbered(), is_calm), iter(range(1, 10_000))
    yield NewCatalogue(writer.catalogue)
    for _ in range(events):
        if random.random() < 0.2:
            yield Cut() if random.random() < 0.75 else Reload()
        if random.random() < changes:
            file.change()
            writer.catalogue = file.numbered()
            yield NewCatalogue(writer.catalogue)
        if random.random() < 0.03:
            yield NewVersion(population_version(random, next(numbers), writer.catalogue, ITEMS))
        yield writer.next()


class Events:
    """Writer of the events of a few users."""

    def __init__(self, random: Random, catalogue: NumberedCatalogue, is_calm: bool) -> None:
        self.catalogue = catalogue
        self._random = random
        self._users = [bytes([number]) * 16 for number in range(1 if is_calm else random.choice([1, 1, 2, 4]))]
        self._clock = dict.fromkeys(self._users, START_MS)
        self._earlier: dict[tuple[bytes, bool], list[Observation]] = {}
        self._controls = 0.0 if is_calm else random.choice([0.02, 0.02, 0.1, 0.3, 0.8])
        self._wrong_times = 0.0 if is_calm else random.choice([0.0, 0.005])
        self._absences = 0.0 if is_calm else random.choice([0.0, 0.03])
        self._turns = random.choice([4, 40])

    def next(self) -> Observation:
        """Return the next event."""
        random = self._random
        user, is_control = random.choice(self._users), random.random() < self._controls
        earlier = self._earlier.setdefault((user, is_control), [])
        back = random.choice(REPEATED) if random.random() < 0.06 else len(earlier) + 1
        if back <= len(earlier):
            return earlier[-back]
        earlier.append(self._control(user) if is_control else self._interaction(user))
        return earlier[-1]

    def _at_ms(self, user: bytes) -> int:
        """Return the time of an event, mostly a step after the user's last one."""
        random, now_ms = self._random, self._clock[user]
        chance = random.random()
        if chance < 0.1:
            return now_ms - random.choice(_LATE_MS)
        if chance < 0.1 + self._wrong_times:
            return random.choice(_WRONG_MS)
        absence = chance > 1.0 - self._absences
        steps = _ABSENCES_MS if absence else _LEAPS_MS if chance > 0.85 else _STEPS_MS
        self._clock[user] = now_ms + random.choice(steps)
        return min(self._clock[user], MAX_AT_MS)

    def _interaction(self, user: bytes) -> Observation:
        random, catalogue = self._random, self.catalogue
        slots = self._style(0.7)
        feedback = NONE
        if random.random() < 0.75 and catalogue.feedback_kinds:
            kinds = list(catalogue.feedback_kinds)
            liked = bool(slots) and (slots[0] + user[0]) % 2 == 0 and random.random() < 0.8
            fitting = [kind for kind in kinds if (catalogue.feedback_kinds[kind].label is True) == liked]
            feedback = random.choice(fitting or kinds)
        narrowed = feedback != NONE and random.random() < 0.15
        is_chosen = random.random() < 0.3
        return _observation(
            user,
            self._at_ms(user),
            Kind.INTERACTION,
            event=self._hash(32),
            turn=random.choice([0, random.randint(1, self._turns)]),
            topic=self._pick(catalogue.topic_index.values()),
            surface=self._pick(catalogue.surface_index.values()),
            item=random.choice([0, random.randint(1, ITEMS)]),
            feedback=feedback,
            slots=slots,
            facets=self._facets() if narrowed else (),
            acted=[self._choice(slot) for slot in self._style(0.5) * random.choice([1, 1, 2])] if is_chosen else (),
            proposed=self._style(0.5) if random.random() < 0.1 else (),
        )

    def _style(self, share: float) -> list[int]:
        """Return values of some facets, ascending; several of a `multiple` facet."""
        random, catalogue, found = self._random, self.catalogue, []
        for name, facet in catalogue.facets.items():
            if random.random() < share:
                slots = list(catalogue.slot_index[name].values())
                found += random.sample(slots, random.randint(1, 2) if facet.multiple else 1)
        return sorted(found)

    def _choice(self, slot: int) -> tuple[int, float, int]:
        random, catalogue = self._random, self.catalogue
        others = [NONE, *catalogue.facet_slots[catalogue.slot_facets[slot]]]
        return slot, random.choice([0.0, 0.05, 0.5, 0.9, 1.0]), random.choice(others)

    def _facets(self) -> list[int]:
        names = self._random.sample(list(self.catalogue.facet_index.values()), 1)
        return names * self._random.choice([1, 1, 2])

    def _control(self, user: bytes) -> Observation:
        random, catalogue, at_ms = self._random, self.catalogue, self._at_ms(user)
        kind = random.choice([Kind.GRANT, Kind.GRANT, Kind.DENY, Kind.PIN, Kind.PIN, Kind.FORGET])
        slots: Sequence[int] = ()
        facets: Sequence[int] = ()
        if kind in {Kind.GRANT, Kind.DENY}:
            slots = sorted(random.sample(range(3), random.randint(1, 3)))
        elif kind is Kind.PIN:
            facets = (random.choice(list(catalogue.facet_index.values())),)
            slots = random.choice([(), (random.choice(catalogue.facet_slots[facets[0]]),)])
        elif random.random() < 0.7:
            facets = sorted(set(self._facets() + self._facets()))
        ahead_ms = random.choice([0, -HOUR_MS, CLOCK_TOLERANCE_MS, CLOCK_TOLERANCE_MS + 1, HOUR_MS])
        record_ms = random.choice([0, self._clock[user], at_ms - ahead_ms])
        return _observation(
            user, at_ms, kind, event=self._hash(64), slots=slots, facets=facets, record_ms=record_ms,
            is_foreign=random.random() < 0.1,
        )  # fmt: skip

    def _pick(self, numbers: Iterable[int]) -> int:
        return self._random.choice([NONE, *numbers, *numbers])

    def _hash(self, bits: int) -> int:
        return self._random.randint(1, 2**bits - 1)


def _observation(user: bytes, at_ms: int, kind: Kind, **members: Any) -> Observation:
    nothing: dict[str, Any] = {
        "turn": 0, "topic": NONE, "surface": NONE, "item": 0, "feedback": NONE, "slots": (), "facets": (), "acted": (),
    }  # fmt: skip
    members = nothing | members
    return Observation(
        user=user, at_ms=at_ms, kind=kind, **members,
    )  # fmt: skip
