"""The rejects file against the ledger: each bad record is told, with its reason, and no other one is."""

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from tests.chaos.findings import Finding, Kind
from tests.chaos.ledger import Ledger

WorkerAddress = tuple[int, int]
"""Partition and offset."""


def told_in(rejects: Path) -> dict[WorkerAddress, str]:
    """Return the reason for each reject by partition and offset; a line that a kill tore off tells nothing."""
    told: dict[WorkerAddress, str] = {}
    for line in rejects.read_bytes().splitlines() if rejects.exists() else []:
        with suppress(ValueError):
            reject = json.loads(line)
            told[reject["origin"]["partition"], reject["origin"]["offset"]] = reject["reason"]
    return told


def wrong_rejects(ledger: Ledger, told: Mapping[WorkerAddress, str]) -> Iterator[Finding]:
    """Yield each record that was to be rejected and was not told, and the other way round, by partition and offset."""
    for place in sorted(ledger.rejected.keys() | told.keys()):
        expected, found = ledger.rejected.get(place), told.get(place)
        if expected != found:
            partition, offset = place
            what = f"partition {partition}, offset {offset} was told as {found}, not {expected}"
            yield Finding(Kind.LOST if found is None else Kind.WRONG, "nobody", "unreadable", what)
