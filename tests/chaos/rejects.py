"""Rejects file compared with the ledger: the same records with the same reasons."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tests.chaos.findings import Finding, Kind
from tests.chaos.ledger import Ledger

Position = tuple[int, int]
"""Partition and offset."""


def rejects_in(rejects: Path) -> dict[Position, str]:
    """Return the reason of each reject by position; skip a line that a kill cut short."""
    found: dict[Position, str] = {}
    for line in rejects.read_bytes().splitlines() if rejects.exists() else []:
        with suppress(ValueError):
            reject = json.loads(line)
            found[reject["origin"]["partition"], reject["origin"]["offset"]] = reject["reason"]
    return found


def wrong_rejects(ledger: Ledger, found: Mapping[Position, str]) -> Iterator[Finding]:
    """Yield a finding for each position whose reject differs from the ledger."""
    for place in sorted(ledger.rejected.keys() | found.keys()):
        expected, reason = ledger.rejected.get(place), found.get(place)
        if expected != reason:
            partition, offset = place
            what = f"partition {partition}, offset {offset} has the reason {reason}, expected {expected}"
            yield Finding(Kind.LOST if reason is None else Kind.WRONG, "no user", "no event", what)
