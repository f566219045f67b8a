"""Differences from the ledger, by kind."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """Broken promise."""

    LOST = "lost"
    DOUBLED = "doubled"
    OLDER = "older over newer"
    WRONG = "otherwise wrong"


class Finding(NamedTuple):
    """One difference from the ledger; the user is a pseudonym."""

    kind: Kind
    user: str
    event_id: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.user}, event {self.event_id}: {self.what}"


def counted(findings: Iterable[Finding]) -> str:
    """Return "0 lost, 0 doubled, 0 older over newer", and the number of other findings, if any."""
    counts = Counter(finding.kind for finding in findings)
    kinds = [kind for kind in Kind if kind is not Kind.WRONG or counts[kind]]
    return ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
