"""Plan and report of a chaos run."""

from collections import Counter
from collections.abc import Sequence
from enum import StrEnum
from typing import Generic, NamedTuple, Protocol, TypeVar

from tests.chaos.findings import Finding, counted


class AnyFault(Protocol):
    """One fault of a plan."""

    @property
    def fault(self) -> StrEnum:
        """Its kind."""
        ...


AnyStep = TypeVar("AnyStep", bound=AnyFault)


class Plan(NamedTuple, Generic[AnyStep]):
    """Faults to inject, and the size of the input."""

    seed: int
    steps: Sequence[AnyStep]
    max_s: float
    """Latest start of a step."""
    users: int = 400
    turns: int = 150_000
    events_per_s: int = 250


class Report(NamedTuple):
    """Result of a run."""

    seed: int
    events: int
    faults: Counter[str]
    """Faults without kills."""
    kills: int
    seconds: float
    findings: list[Finding]
    details: str

    def __str__(self) -> str:
        faults = ", ".join([f"{self.kills} kill -9", *(f"{count} {fault}" for fault, count in self.faults.items())])
        return (
            f"{self.events} events, {self.kills + self.faults.total()} faults ({faults}), {counted(self.findings)}\n"
            f"seed {self.seed}, {self.seconds:.0f} s; {self.details}"
        )
