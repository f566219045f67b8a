"""What is wrong, and the words for it."""

from collections import Counter
from collections.abc import Iterable
from enum import StrEnum
from typing import NamedTuple


class Kind(StrEnum):
    """What was promised not to happen."""

    LOST = "lost"
    DOUBLED = "doubled"
    OLDER = "older over newer"
    WRONG = "otherwise wrong"


class Finding(NamedTuple):
    """One thing that is not as the ledger has it; of a person only the pseudonym is told."""

    kind: Kind
    person: str
    event_id: str
    what: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.person}, event {self.event_id}: {self.what}"


def counted(findings: Iterable[Finding]) -> str:
    """Return "0 lost, 0 doubled, 0 older over newer", and what else there is if there is any."""
    counts = Counter(finding.kind for finding in findings)
    kinds = [kind for kind in Kind if kind is not Kind.WRONG or counts[kind]]
    return ", ".join(f"{counts[kind]} {kind}" for kind in kinds)
