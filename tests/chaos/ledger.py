"""The ledger: each record as it was produced, in the order of its partition, and what must have become of it."""

from collections import Counter
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple

from tacit.contract.events import decode_event
from tests.chaos.account import LATE, Account
from tests.support.commands import SECRET


class Line(NamedTuple):
    """A record on its way, and what it was made as."""

    partition: int
    key: bytes
    value: bytes
    broken: str | None
    """The reason to reject it; None: it is a good event."""


def pseudonym(user_id: str) -> str:
    """Return what keys call a person: `k1.` and a keyed BLAKE2b of their id.

    >>> pseudonym("ada")
    'k1.e886bd5574154af58c358eb2602da86e'
    """
    return "k1." + blake2b(user_id.encode(), key=SECRET.encode(), digest_size=16).hexdigest()


class Ledger:
    """Accounts by pseudonym, outcomes counted, and the reason for each position that is to be rejected."""

    def __init__(self, partitions: int) -> None:
        self.lock = Lock()
        """To be held where one thread enters records and another one reads."""
        self.accounts: dict[str, Account] = {}
        self.outcomes: Counter[str] = Counter()
        self.rejected: dict[tuple[int, int], str] = {}
        """By partition and offset."""
        self.produced: list[list[bytes]] = [[] for _ in range(partitions)]

    @property
    def records(self) -> int:
        """Return how many there were."""
        return sum(map(len, self.produced))

    def take(self, line: Line) -> None:
        """Enter the next record of its partition."""
        place = line.partition, len(self.produced[line.partition])
        self.produced[line.partition].append(line.value)
        outcome = line.broken or self._take_event(line.value)
        self.outcomes[outcome] += 1
        if line.broken or outcome == LATE:
            self.rejected[place] = outcome

    def _take_event(self, value: bytes) -> str:
        event = decode_event(value)
        return self.accounts.setdefault(pseudonym(event.user_id), Account()).take(event)
