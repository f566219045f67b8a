"""Keyer of a replay of some records only: all others are counted as skipped, before the exchange."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from operators.key import Group, Keyer
from operators.parse import Parser
from state.counters import EventCounters, Outcome
from state.events.records import Record, Reject, ToAllShards
from tacit.contract.events import MAX_AT_MS, Interaction


class Selected(NamedTuple):
    """Records to process."""

    users: frozenset[bytes] | None = None
    """Pseudonyms; None: all users."""
    from_ms: int = 0
    to_ms: int = MAX_AT_MS + 1
    """Range of event times, the end excluded. Control events count at any time: a "no" holds for all of history."""

    @property
    def is_all(self) -> bool:
        """Return whether all records are selected."""
        return self == Selected()

    @property
    def has_range(self) -> bool:
        """Return whether interactions of some times only are selected."""
        return not self._replace(users=None).is_all


class SelectingKeyer(Keyer):
    """Groups the selected records by shard. A record without a user is rejected: it cannot be selected."""

    def __init__(
        self,
        parser: Parser,
        shards: int,
        counters: EventCounters,
        selected: Selected,
        round_now: Callable[[], int] = lambda: 0,
    ) -> None:
        super().__init__(parser, shards, counters, round_now)
        self._users = selected.users
        self._from_ms, self._to_ms = selected.from_ms, selected.to_ms
        self._has_range = selected.has_range
        self._decode = parser.format.decode

    def __call__(self, records: Sequence[Record | ToAllShards]) -> Iterable[Group | Reject]:
        """Return the same as `Keyer`, of the selected records of the batch."""
        selected = [record for record in records if not isinstance(record, Record) or self._is_selected(record)]
        self._counters.outcomes[Outcome.SKIPPED] += len(records) - len(selected)
        return super().__call__(selected)

    def _is_selected(self, record: Record) -> bool:
        if self._users is not None:
            user = self._user(record)
            if not isinstance(user, Reject) and user.pseudonym not in self._users:
                return False
        if self._has_range:
            event = self._decode(record.value)
            return not isinstance(event, Interaction) or self._is_in_range(event.at)
        return True

    def _is_in_range(self, at_ms: int) -> bool:
        is_in_range = self._from_ms <= at_ms < self._to_ms
        self._counters.count_compared(at_ms, is_in_range=is_in_range)
        return is_in_range


def make_keyer(
    parser: Parser, shards: int, counters: EventCounters, selected: Selected, round_now: Callable[[], int]
) -> Keyer:
    """Return the keyer of a run: without a selection, the faster one."""
    if selected.is_all:
        return Keyer(parser, shards, counters, round_now)
    return SelectingKeyer(parser, shards, counters, selected, round_now)
