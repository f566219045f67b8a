"""Broken records: at least one form for each reject reason of a line of a file; none is `future` or `unreadable`."""

from collections.abc import Iterator
from random import Random

from state.catalogue.numbered import NumberedCatalogue
from state.events.records import Reason
from tacit.contract.events import MAX_EVENT_BYTES
from tacit_lab.simulate.events import Event, encode
from tacit_lab.simulate.scenario import HOUR_MS, Scenario
from tacit_lab.simulate.users import SimulatedUser

_LATE_MS = (25 * HOUR_MS, 47 * HOUR_MS)
"""Limits of the distance between a late record and its turn; from 24 hours a record is late."""


class Faults:
    """Broken copies of valid turns, in the shares of the scenario."""

    def __init__(self, scenario: Scenario, catalogue: NumberedCatalogue) -> None:
        self._scenario = scenario
        self._facet, facet = next(iter(catalogue.facets.items()))
        self._unknown_value = "x" * (1 + max(map(len, facet.values)))
        reasons = [reason for reason in Reason if reason not in (Reason.FUTURE, Reason.UNREADABLE)]
        self._shares: list[tuple[Reason, float]] = [(reason, getattr(scenario, reason)) for reason in reasons]

    def of(self, random: Random, user: SimulatedUser, turn: Event, at_ms: int) -> Iterator[tuple[Reason, bytes]]:
        """Yield broken copies, in most cases none, of a turn at `at_ms`."""
        for reason, share in self._shares:
            if random.random() >= share:
                continue
            if reason is Reason.LATE and not _can_be_late(user, at_ms):
                continue
            yield reason, self._broken(random, reason, turn | {"event_id": f"{turn['event_id']}-{reason}"}, at_ms)

    def _broken(self, random: Random, reason: Reason, event: Event, at_ms: int) -> bytes:
        match reason:
            case Reason.NOT_JSON:
                line = encode(event)
                return line[: random.randrange(1, len(line))]
            case Reason.INVALID:
                return encode(event | random.choice([{"at": str(at_ms)}, {"user_id": ""}, {"text": "hello"}]))
            case Reason.TOO_LARGE:
                return encode(event | {"text": "x" * MAX_EVENT_BYTES})
            case Reason.UNKNOWN_SCHEMA:
                return encode(event | {"schema": 2})
            case Reason.NOT_IN_CATALOGUE:
                return encode(event | {"served": {self._facet: self._unknown_value}})
            case Reason.WRONG_REGION:
                return encode(event | {"region": "us" if self._scenario.region != "us" else "eu"})
        return encode(event | {"at": at_ms - random.randint(*_LATE_MS)})


def _can_be_late(user: SimulatedUser, at_ms: int) -> bool:
    """Return True if an old event has no other fault: the user had consented, and no wipe follows."""
    return bool(user.consents) and user.wiped_at() is None and at_ms - user.joined_at > _LATE_MS[1]
