"""Seam between a history and a live run that reads a part of it again: each event counts once.

history   ├──────────────────────┤ newest event
topic                    ├───────────────────────► live run
                   start ┴───────┴ events of both: recognized by user, event id and event time
"""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from operators.parse import Parsed, Parser
from state.counters import EventCounters, Outcome
from state.events.observation import Kind, Observation
from state.events.records import Record


class Seam(NamedTuple):
    """Events of a history that a live run may read again."""

    keys: Any
    """Sorted keys of the events, as unsigned 64-bit numbers; mapped from a file, so memory does not hold them."""
    newest_ms: int
    """Event time of the newest one."""

    def has(self, key: int) -> bool:
        """Return whether an event has this key."""
        at = int(np.searchsorted(self.keys, np.uint64(key)))
        return at < len(self.keys) and int(self.keys[at]) == key


def seam_key(o: Observation) -> int:
    """Return 64 bits for an interaction, by its pseudonym, event id and event time."""
    content = o.user + o.event.to_bytes(8, "big") + o.at_ms.to_bytes(8, "big")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "big")


class SeamParser:
    """Parser that takes out and counts the interactions of the history.

    A control event stays: its user recognizes a repeat, and a "no" must never be lost to a hash.
    """

    def __init__(self, parser: Parser, seam: Seam, counters: EventCounters) -> None:
        self._parser = parser
        self._seam = seam
        self._counters = counters

    def __call__(self, records: Iterable[Record]) -> Parsed:
        """Return the observations and the rejects of a batch, each in order."""
        parsed = self._parser(records)
        kept = [not self._repeats(o) for o in parsed.observations]
        if all(kept):
            return parsed
        self._counters.outcomes[Outcome.DUPLICATE] += kept.count(False)
        return Parsed(
            [o for o, keeps in zip(parsed.observations, kept, strict=True) if keeps],
            [record for record, keeps in zip(parsed.records, kept, strict=True) if keeps],
            parsed.rejects,
        )

    def _repeats(self, o: Observation) -> bool:
        return o.at_ms <= self._seam.newest_ms and o.kind == Kind.INTERACTION and self._seam.has(seam_key(o))
