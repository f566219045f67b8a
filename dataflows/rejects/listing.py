"""Counts of rejects by reason, and the newest of them, in memory of the number that is shown."""

from collections import Counter, deque
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from dataflows.rejects.stored import Mark, StoredReject, destinations, read_stored
from dataflows.settings import Settings


class Filter(NamedTuple):
    """Selection of rejects."""

    reasons: frozenset[str] = frozenset()
    """Reasons; empty for all."""
    since_ms: int = 0
    """Time of the rejection from which on rejects count, epoch ms."""

    def takes(self, reject: StoredReject) -> bool:
        """Return whether a reject is selected."""
        return reject.at >= self.since_ms and (not self.reasons or reject.reason in self.reasons)


@dataclass(slots=True)
class Listing:
    """Rejects of all destinations; after a crash of a run, a destination may hold a reject twice."""

    controls: Counter[str] = field(default_factory=Counter)
    """Control events by reason: a user's choice that was not carried out."""
    others: Counter[str] = field(default_factory=Counter)
    retried: int = 0
    """Records that were fed back."""
    unreadable: int = 0
    """Lines that are no rejects."""
    newest_controls: deque[StoredReject] = field(default_factory=deque)
    newest_others: deque[StoredReject] = field(default_factory=deque)

    @property
    def shown(self) -> list[StoredReject]:
        """Rejects to show: control events first, each kind from the newest."""
        return [*reversed(self.newest_controls), *reversed(self.newest_others)]

    def as_dict(self) -> dict[str, Any]:
        """Return the document of `--json`."""
        return {
            "controls": dict(self.controls),
            "others": dict(self.others),
            "retried": self.retried,
            "unreadable": self.unreadable,
            "rejects": [
                {
                    "origin": each.name,
                    "reason": each.reason,
                    "detail": each.detail,
                    "control": each.control,
                    "at": each.at,
                    "sha256": each.sha256,
                }
                for each in self.shown
            ],
        }


def list_rejects(settings: Settings, chosen: Filter, limit: int) -> Listing:
    """Count the selected rejects, and keep the newest `limit` of control events and of others.

    Raises:
        SourceError: a topic or file cannot be read.
    """
    found = Listing(newest_controls=deque(maxlen=limit), newest_others=deque(maxlen=limit))
    for destination in destinations(settings):
        for each in read_stored(settings, destination):
            if isinstance(each, StoredReject):
                if chosen.takes(each):
                    (found.controls if each.control else found.others)[each.reason] += 1
                    (found.newest_controls if each.control else found.newest_others).append(each)
            elif isinstance(each, Mark):
                found.retried += each.at >= chosen.since_ms
            else:
                found.unreadable += 1
    return found
