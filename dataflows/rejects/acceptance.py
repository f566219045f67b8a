"""Acceptance of a record as of now: the parser of the workers, and the user's state where it is at hand."""

from collections.abc import Callable
from hashlib import sha256
from time import time_ns

from dataflows.formats import parser_of
from dataflows.inspection import inspect
from dataflows.rules import rules_of
from dataflows.settings import Settings
from operators.decoders import Repaired, Undecodable
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.events.observation import Kind, Observation
from state.events.records import Reason, Record, Reject
from state.user.user_state import UserState
from tacit.contract.events import Event

FindUser = Callable[[bytes], UserState | None]
"""Pseudonym → state of the user in the newest checkpoint."""


class Acceptance:
    """Decision whether the workers would take a record now; it writes and counts nothing.

    Args:
        settings: format, region, catalogue and lateness of the workers; with `state`, the state of users.

    Raises:
        TacitError: the catalogue or the state folder cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        catalogue = NumberedCatalogue.load(settings.catalogue)
        self._parser = parser_of(settings, catalogue, EventCounters())
        self._find: FindUser | None = None
        if settings.state is not None:
            inspected = inspect(settings.state, catalogue)
            inspected.require_secret(settings.secret_bytes)
            self._find = lambda user: inspected.checkpoints.get(user)[0]
        self._lateness_ms = rules_of(settings).lateness_ms

    def event_of(self, value: bytes) -> Event | None:
        """Return the event in a record; None for a record without one."""
        event = self._parser.format.decode(value)
        if isinstance(event, Undecodable):
            return None
        return event.event if isinstance(event, Repaired) else event

    def refusal(self, record: Record, *, in_order: bool) -> Reject | None:
        """Return the reject that the record would become; None if the workers would take it.

        Args:
            record: the record, with its own time.
            in_order: the record is fed behind all newer events, so that lateness counts.
        """
        found = self._parser.parse(record)
        if isinstance(found, Reject):
            return found
        if found.is_foreign and not (self._find and self._find(found.user)):
            return _reject(record, Reason.WRONG_REGION, "the user is not known in this region")
        if in_order and found.kind == Kind.INTERACTION and self._is_late(found):
            return _reject(record, Reason.LATE, "newer events of the user make it late; replay the history instead")
        return None

    def _is_late(self, o: Observation) -> bool:
        """Return whether an interaction is late; without the user's state, by the present time."""
        if self._find is None:
            return o.at_ms < time_ns() // 1_000_000 - self._lateness_ms
        state = self._find(o.user)
        return state is not None and o.at_ms < state.newest_ms - self._lateness_ms


def _reject(record: Record, reason: Reason, detail: str) -> Reject:
    return Reject(reason, detail, record.origin, record.position, sha256(record.value).hexdigest(), 0)
