"""What a chaos run is to do, and what came of it."""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from tests.chaos.findings import Finding, counted
from tests.chaos.schedule import Step


class Plan(NamedTuple):
    """How much of it."""

    seed: int
    steps: Sequence[Step]
    most_s: float
    """No step begins later than this."""
    users: int = 400
    turns: int = 150_000
    events_per_s: int = 250


class Report(NamedTuple):
    """What came of it."""

    plan: Plan
    events: int
    faults: Counter[str]
    """Kills aside."""
    kills: int
    seconds: float
    findings: list[Finding]
    details: str

    def __str__(self) -> str:
        faults = ", ".join([f"{self.kills} kill -9", *(f"{count} {fault}" for fault, count in self.faults.items())])
        return (
            f"{self.events} events, {self.kills + self.faults.total()} faults ({faults}), {counted(self.findings)}\n"
            f"seed {self.plan.seed}, {self.seconds:.0f} s; {self.details}"
        )
