"""Open round in Redis: all processes of one start see it, and those of another start do not."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis

from connectors.redis.client import RedisClient
from connectors.redis.round_store import RedisRoundStore
from connectors.rounds.board import RoundBoard
from state.errors import SinkError
from state.learning.population_prior import Prior
from tacit.contract.keys import RegionKeys
from tacit.contract.lifetimes import DAY_MS
from tests.support.factories import CATALOGUE

KEYS = RegionKeys("eu").within("shadow")
PRIOR = Prior(CATALOGUE)


class Process:
    """The board of a process on some host, and the versions that it used."""

    def __init__(self, url: str, stack: ExitStack, start: str) -> None:
        self.used: list[bytes] = []
        self.store = RedisRoundStore(RedisClient(url), KEYS, start)
        stack.callback(self.store.close)
        self.board = RoundBoard(lambda version, _: self.used.append(version), self.store)


@pytest.fixture
def processes(redis_url: str) -> Iterator[tuple[Process, Process, Process]]:
    """Yield two processes of one start, and one of an earlier start."""
    with ExitStack() as stack:
        yield (*(Process(redis_url, stack, "b-1") for _ in range(2)), Process(redis_url, stack, "a-7"))  # type: ignore[misc]


def test_records_of_another_host_bring_their_round(processes: tuple[Process, Process, Process]) -> None:
    """The version is taken over whole, before the records are used, however shortly before the process looked."""
    one, other, _ = processes
    other.board.look()
    version = b"\x00\n" + bytes(200_000)
    one.board.open(1, version, PRIOR)
    other.board.enter(1)
    assert (other.board.opened, other.used) == (1, [version])
    one.board.open(2, b"", None)
    other.board.enter(2)
    assert (other.board.opened, other.used) == (2, [version])


def test_partitions_that_wait_share_a_look(
    processes: tuple[Process, Process, Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next look is after a pause; records of another process do not wait for it."""
    monkeypatch.setattr(RedisRoundStore, "pause_s", 60.0)
    one, other, _ = processes
    one.board.open(1, b"version", PRIOR)
    other.board.look()
    one.board.open(2, b"next", PRIOR)
    other.board.look()
    assert other.board.opened == 1
    other.board.enter(2)
    assert other.board.opened == 2


def test_process_of_an_earlier_start_neither_sees_nor_opens_a_round(
    processes: tuple[Process, Process, Process],
) -> None:
    """It was paused for long, and all hosts have started again without it."""
    one, other, earlier = processes
    one.board.open(1, b"version", PRIOR)
    earlier.board.open(9, b"old", PRIOR)
    other.board.enter(1)
    assert (other.board.opened, other.used) == (1, [b"version"])


def test_lost_round_ends_the_process_that_needs_it(
    processes: tuple[Process, Process, Process], redis_client: redis.Redis
) -> None:
    """A process that waits continues once the round is opened again."""
    one, other, _ = processes
    one.board.open(1, b"version", PRIOR)
    redis_client.flushall()
    other.board.look()
    with pytest.raises(SinkError, match="Redis has lost round 1"):
        other.board.enter(1)
    one.board.open(1, b"version", PRIOR)
    other.board.enter(1)
    assert other.used == [b"version"]


def test_round_ends_a_day_after_its_last_write_or_with_the_replay(
    processes: tuple[Process, Process, Process], redis_client: redis.Redis
) -> None:
    one, *_ = processes
    one.board.open(1, b"version", PRIOR)
    assert DAY_MS - 60_000 < redis_client.pttl(KEYS.replay_round("b-1")) <= DAY_MS
    one.store.delete()
    assert redis_client.keys("*") == []
