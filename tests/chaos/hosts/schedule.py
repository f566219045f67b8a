"""Schedule of faults of several hosts, drawn from a seed."""

from collections.abc import Iterator
from enum import StrEnum
from itertools import cycle
from random import Random
from typing import NamedTuple

HOSTS = 3
"""Hosts at the start."""
MAX_HOSTS = 4
_COUNTS = (2, 4, 3)
"""Hosts after each change of their number, in turn."""


class HostFault(StrEnum):
    """Fault of hosts, of object storage, of Redis or of Kafka."""

    HOST_LOST = "host lost with its disk"
    ALL_LOST = "all hosts lost with their disks"
    HOST_KILLED = "host killed"
    WORKER_KILLED = "worker killed"
    LAUNCHER_KILLED = "launcher killed"
    HOST_PAUSED = "host paused"
    RESIZED = "number of hosts changed"
    S3_KILLED = "S3 killed"
    S3_FROZEN = "S3 frozen"
    S3_SLOW = "S3 slow"
    S3_FAILING = "S3 failing"
    S3_FULL = "S3 full"
    REDIS_EMPTIED = "Redis emptied"
    BROKER_KILLED = "broker killed"
    WRITES_LATE = "old writes sent again"


KILLS = (HostFault.HOST_KILLED, HostFault.WORKER_KILLED, HostFault.LAUNCHER_KILLED)
LOSSES = (HostFault.HOST_LOST, HostFault.ALL_LOST)
TROUBLES = tuple(fault for fault in HostFault if fault.name.startswith(("S3_", "REDIS_", "BROKER_")))
"""Faults of the services around the hosts, which last for a while."""

_ROUND = (
    *[HostFault.HOST_LOST] * 6, *[HostFault.ALL_LOST] * 3, *KILLS, HostFault.HOST_PAUSED, HostFault.RESIZED,
    HostFault.WRITES_LATE, *TROUBLES,
)  # fmt: skip
_LOSSES_AMID_TROUBLE = 0.5


class HostStep(NamedTuple):
    """One fault."""

    fault: HostFault
    hosts: int = HOSTS
    """Hosts after a change of their number."""
    after_s: float = 0.0
    """Delay before the fault."""
    after_cut: bool = True
    """True: the delay begins with the next complete cut, so that all hosts run; False: at once."""
    away_s: float = 0.0
    """Time until a killed host starts again."""
    hold_s: float = 2.0
    """Shortest duration of the fault of a service."""
    loses_too: bool = False
    """Lose a host with its disk during the fault of a service."""


def schedule(seed: int, lost: int) -> list[HostStep]:
    """Return steps that lose at least `lost` hosts with their disks, and have each fault at least once.

    >>> found = schedule(seed=1, lost=60)
    >>> {step.fault for step in found} == set(HostFault), lost_by(found) >= 60
    (True, True)
    """
    random = Random(f"{seed}/schedule")
    counts = cycle(_COUNTS)
    steps: list[HostStep] = []
    while lost_by(steps) < lost:
        faults = list(_ROUND)
        random.shuffle(faults)
        steps += _steps(faults, counts, random)
    return steps


def lost_by(steps: list[HostStep]) -> int:
    """Return the least number of hosts that the steps lose with their disks."""
    least = min(_COUNTS)
    numbers = {HostFault.HOST_LOST: 1, HostFault.ALL_LOST: least}
    return sum(numbers.get(step.fault, 0) + step.loses_too for step in steps)


def _steps(faults: list[HostFault], counts: Iterator[int], random: Random) -> Iterator[HostStep]:
    for fault in faults:
        yield HostStep(
            fault,
            next(counts) if fault is HostFault.RESIZED else HOSTS,
            after_s=random.choice([0.3, 3.0]) * random.random(),
            after_cut=fault in {HostFault.RESIZED, HostFault.WRITES_LATE} or random.random() < 0.7,
            away_s=random.choice([0.0, 0.0, 8.0]) * random.random(),
            hold_s=1.0 + 4.0 * random.random(),
            loses_too=fault in TROUBLES and random.random() < _LOSSES_AMID_TROUBLE,
        )
