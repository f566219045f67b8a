"""Ledger: all produced records in the order of their partition, and the expected outcome of each."""

from collections import Counter
from hashlib import blake2b
from threading import Lock
from typing import NamedTuple

from tacit.contract.events import decode_event
from tests.chaos.account import LATE, Account
from tests.support.commands import SECRET


class Line(NamedTuple):
    """Record to produce."""

    partition: int
    key: bytes
    value: bytes
    broken: str | None
    """Reason of the expected reject; None for a valid event."""


def pseudonym(user_id: str) -> str:
    """Return the pseudonym of a user in keys: `k1.` and a keyed BLAKE2b of the user id.

    >>> pseudonym("ada")
    'k1.e886bd5574154af58c358eb2602da86e'
    """
    return "k1." + blake2b(user_id.encode(), key=SECRET.encode(), digest_size=16).hexdigest()


class Ledger:
    """Accounts by pseudonym, counts of outcomes, and the reason of each expected reject."""

    def __init__(self, partitions: int) -> None:
        self.lock = Lock()
        """Lock for a thread that enters records and one that reads."""
        self.accounts: dict[str, Account] = {}
        self.outcomes: Counter[str] = Counter()
        self.rejected: dict[tuple[int, int], str] = {}
        """Reason by partition and offset."""
        self.produced: list[list[bytes]] = [[] for _ in range(partitions)]

    @property
    def records(self) -> int:
        """Number of records."""
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
