"""Schedule of faults, drawn from a seed."""

from collections.abc import Iterator
from enum import StrEnum
from random import Random
from typing import NamedTuple


class Fault(StrEnum):
    """Fault of a run, of Kafka, of Redis or of the disk."""

    KILL_ALL = "all killed at once"
    KILL_LAUNCHER = "launcher killed"
    KILL_WORKER = "worker killed"
    RESCALE = "stopped and rescaled"
    BROKER_KILLED = "broker killed"
    REDIS_EMPTIED = "Redis emptied"
    REDIS_FULL = "Redis out of memory"
    REDIS_FROZEN = "Redis frozen"
    WORKER_FROZEN = "worker frozen"
    DISK_FULL = "disk full"
    WRITES_LATE = "old writes sent again"


KILLS = (Fault.KILL_ALL, Fault.KILL_LAUNCHER, Fault.KILL_WORKER)
TROUBLES = tuple(fault for fault in Fault if fault not in KILLS and fault not in {Fault.RESCALE, Fault.WRITES_LATE})

_KILL_WEIGHTS = (4, 2, 4)
_KILLS_PER_RESCALE = 10
_KILLS_PER_TROUBLE = 25
"""Kills per fault of each kind."""
_KILLED_AMID_TROUBLE = 0.3
MAX_PROCESSES = 3


class Step(NamedTuple):
    """One fault."""

    fault: Fault
    processes: int
    """Processes of a run that the step starts, or of the run after a rescaling."""
    after_s: float = 0.0
    """Delay after the start of the workers."""
    begins_at_work: bool = True
    """False: the delay starts with the run or the step, possibly before the workers."""
    hold_s: float = 0.5
    """Shortest duration of the fault."""
    kills_too: bool = False
    """Kill and restart all processes during the fault."""


def schedule(seed: int, kills: int) -> list[Step]:
    """Return `kills` kills and some of each other fault, at least one of each, in random order.

    >>> from collections import Counter
    >>> faults = Counter(step.fault for step in schedule(seed=1, kills=50))
    >>> sum(faults[kill] for kill in KILLS), faults[Fault.RESCALE], faults[Fault.DISK_FULL]
    (50, 5, 2)
    """
    random = Random(f"{seed}/schedule")
    faults = [*KILLS, *random.choices(KILLS, _KILL_WEIGHTS, k=max(0, kills - len(KILLS)))]
    faults += [Fault.RESCALE, Fault.WRITES_LATE] * max(2, kills // _KILLS_PER_RESCALE)
    faults += TROUBLES * max(1, kills // _KILLS_PER_TROUBLE)
    random.shuffle(faults)
    return list(_steps(faults, random))


def _steps(faults: list[Fault], random: Random) -> Iterator[Step]:
    processes = 1
    for fault in faults:
        if fault is Fault.RESCALE:
            processes = random.choice([n for n in range(1, MAX_PROCESSES + 1) if n != processes])
        elif random.random() < 0.3:
            processes = random.choices([1, 2, 3], [7, 2, 1])[0]
        at_work = fault in {Fault.RESCALE, Fault.WRITES_LATE} or random.random() < 0.7
        yield Step(
            fault,
            processes,
            after_s=random.choice([0.3, 2.5]) * random.random() if at_work else 1.5 * random.random(),
            begins_at_work=at_work,
            hold_s=0.5 + 1.5 * random.random(),
            kills_too=fault in TROUBLES and random.random() < _KILLED_AMID_TROUBLE,
        )
