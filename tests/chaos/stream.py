"""Input: a simulated history in which most events occur twice, in shuffled order for each user."""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from heapq import heappop, heappush
from random import Random
from typing import NamedTuple
from zlib import crc32

import msgspec

from state.events.records import Reason
from tacit_lab.simulate import Arrival, Scenario, simulate
from tests.chaos.account import HOUR_MS, IDS_KEPT
from tests.chaos.ledger import Line
from tests.support.replays import now_ms

PARTITIONS = 4
DAYS = 20
"""Shorter than the time to live of a signal: results do not depend on the current time."""
TWICE = 0.6
"""Share of events that occur twice."""
SHUFFLED_WITHIN_MS = 6 * HOUR_MS
"""With the delays of the simulator, hours at most, nearly all events stay within the allowed lateness."""


class _User(msgspec.Struct):
    user_id: str


class _Copy(NamedTuple):
    at_ms: float
    number: int
    """Number of the record; copies have the same."""
    line: Line
    is_twin: bool


_decode = msgspec.json.Decoder(_User).decode


def scenario(seed: int, users: int, turns: int) -> Scenario:
    """Return a scenario with many pins, opt-outs, opt-ins and forgets."""
    return Scenario(
        end_ms=now_ms() - HOUR_MS,
        users=users,
        turns=turns,
        days=DAYS,
        seed=seed,
        pins=0.4,
        unpins=0.5,
        opts_out=0.2,
        opts_in_again=0.7,
        forgets=0.1,
        duplicates=0.0,
        late=0.005,
    )


def lines(made: Scenario) -> Iterator[Line]:
    """Yield the records in the order of production.

    A repeat after more than 64 other events of the user is left out.
    """
    recent: dict[bytes, deque[int]] = defaultdict(lambda: deque(maxlen=IDS_KEPT - 1))
    waiting: set[int] = set()
    for _, number, line, is_twin in _shuffled(made):
        if number in waiting:
            waiting.discard(number)
            if number in recent[line.key]:
                yield line
            continue
        if is_twin:
            waiting.add(number)
        recent[line.key].append(number)
        yield line


def _shuffled(made: Scenario) -> Iterator[_Copy]:
    pending: list[_Copy] = []
    random = Random(f"{made.seed}/stream")
    for arrived_ms, copy in _copies(simulate(made).arrivals(), random):
        while pending and pending[0].at_ms <= arrived_ms:
            yield heappop(pending)
        heappush(pending, copy)
    yield from sorted(pending)


def _copies(arrivals: Iterable[Arrival], random: Random) -> Iterator[tuple[int, _Copy]]:
    """Yield each record with its arrival, delayed by up to some hours; most valid ones twice."""
    for number, arrival in enumerate(arrivals):
        line = _line(arrival)
        is_twin = line.broken is None and random.random() < TWICE
        for _ in range(1 + is_twin):
            at_ms = arrival.at_ms + random.random() * SHUFFLED_WITHIN_MS
            yield arrival.at_ms, _Copy(at_ms, number, line, is_twin)


def _line(arrival: Arrival) -> Line:
    broken = isinstance(arrival.made_as, Reason) and arrival.made_as is not Reason.LATE
    key = _key(arrival.line)
    return Line(crc32(key) % PARTITIONS, key, arrival.line, str(arrival.made_as) if broken else None)


def _key(value: bytes) -> bytes:
    """Return the user id, which keeps events of a user in one partition; a constant for a record without one."""
    try:
        return _decode(value).user_id.encode()
    except (msgspec.MsgspecError, UnicodeError):
        return b"broken"
