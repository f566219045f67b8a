"""Live runs that are stopped, killed and rescaled: signals equal those of an undisturbed run."""

import json
import os
import signal
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis

from tacit_lab.embedded import EmbeddedRedis
from tacit_lab.simulate import Scenario, simulate
from tacit_lab.simulate.output import write_events
from tests.support.commands import Running, everything_in, running, tacit
from tests.support.conditions import eventually
from tests.support.kafka_topics import Kafka

pytestmark = pytest.mark.kafka

USERS, TURNS, DAYS = 800, 40_000, 20  # shorter than the time to live of a signal
WITHIN_S = 60


class Topic(NamedTuple):
    """Topic with a simulated history."""

    url: str
    records: int


@pytest.fixture(scope="module")
def topic(kafka: Kafka) -> Topic:
    """Fill two partitions; their size lets a test interrupt a run."""
    url = f"kafka://{kafka.servers}/{kafka.create_topic(partitions=2)}"
    scenario = Scenario(end_ms=time.time_ns() // 1_000_000, users=USERS, turns=TURNS, days=DAYS, seed=11)
    return Topic(url, write_events(simulate(scenario).events, url))


@pytest.fixture(scope="module")
def uninterrupted(topic: Topic, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the contents of Redis after an undisturbed run over the whole topic."""
    folder = tmp_path_factory.mktemp("uninterrupted")
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url, decode_responses=True) as client:
        with running(_arguments(topic, server, folder), folder / "log") as run:
            _wait_for_signals(client, 700)
            _wait_until_still(client)
            assert run.stop() == 0, run.output
        assert _records_read(run) == [topic.records]
        return everything_in(client)


@pytest.fixture
def server() -> Iterator[EmbeddedRedis]:
    """Yield a Redis for one test."""
    with EmbeddedRedis() as server:
        yield server


@pytest.fixture
def client(server: EmbeddedRedis) -> Iterator[redis.Redis]:
    """Yield a client of the server."""
    with redis.Redis.from_url(server.url, decode_responses=True) as client:
        yield client


@pytest.mark.parametrize("processes", [1, 2])
def test_stopped_run_resumes_without_loss_or_repetition(
    processes: int,
    topic: Topic,
    uninterrupted: dict[str, Any],
    server: EmbeddedRedis,
    client: redis.Redis,
    tmp_path: Path,
) -> None:
    """After SIGTERM and a new start, each record was read once and Redis holds the same bytes."""
    arguments, log = _arguments(topic, server, tmp_path, "--processes", str(processes)), tmp_path / "log"
    with running(arguments, log) as run:
        _wait_for_signals(client, 20)
        assert run.stop() == 0, run.output
    assert sum(_records_read(run)) < topic.records
    with running(arguments, log) as run:
        _wait_until_equal(client, uninterrupted, run)
        assert run.stop() == 0, run.output
    assert sum(_records_read(run)) == topic.records


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_run_ends_with_the_same_signals(
    processes: int,
    topic: Topic,
    uninterrupted: dict[str, Any],
    server: EmbeddedRedis,
    client: redis.Redis,
    tmp_path: Path,
) -> None:
    """After SIGKILL at three moments and new starts, Redis holds the same bytes."""
    arguments, log = _arguments(topic, server, tmp_path, "--processes", str(processes)), tmp_path / "log"
    for signals in (5, 200, 400):
        with running(arguments, log) as run:
            _wait_for_signals(client, signals)
            run.kill()
    assert everything_in(client) != uninterrupted
    with running(arguments, log) as run:
        _wait_until_equal(client, uninterrupted, run)


def test_state_moves_from_one_process_to_two_and_back(
    topic: Topic,
    uninterrupted: dict[str, Any],
    server: EmbeddedRedis,
    client: redis.Redis,
    tmp_path: Path,
) -> None:
    """A state folder serves any number of processes."""
    log = tmp_path / "log"
    for processes, signals in (("1", 20), ("2", 200)):
        with running(_arguments(topic, server, tmp_path, "--processes", processes), log) as run:
            _wait_for_start(run, processes)
            _wait_for_signals(client, signals)
            assert run.stop() == 0, run.output
    with running(_arguments(topic, server, tmp_path), log) as run:
        _wait_until_equal(client, uninterrupted, run)
        assert run.stop() == 0, run.output
    assert sum(_records_read(run)) == topic.records


def test_stop_during_a_restart_ends_the_run(topic: Topic, server: EmbeddedRedis, tmp_path: Path) -> None:
    """After the death of a worker a live run restarts all workers, unless SIGTERM arrives first."""
    with running(_arguments(topic, server, tmp_path, "--processes", "3"), tmp_path / "log") as run:
        _wait_for_start(run, "3")
        os.kill(run.workers[0], signal.SIGKILL)
        assert run.stop() == 1
        assert run.output.count("worker.started") == 3
        assert "was ended by SIGKILL" in run.output.splitlines()[-1]


@pytest.mark.parametrize("processes", ["1", "2"])
def test_signals_without_end_stop_a_run_in_order(
    processes: str, topic: Topic, server: EmbeddedRedis, client: redis.Redis, tmp_path: Path
) -> None:
    """SIGTERM and SIGINT in turn, until the end: status 0 and no traceback."""
    with running(_arguments(topic, server, tmp_path, "--processes", processes), tmp_path / "log") as run:
        _wait_for_signals(client, 20)
        numbers = cycle((signal.SIGTERM, signal.SIGINT))

        def is_ended_by_another() -> bool:
            if run.process.poll() is None:
                os.killpg(run.process.pid, next(numbers))
            return run.process.poll() is not None

        eventually(is_ended_by_another, within_s=WITHIN_S, what="the end")
    assert run.process.returncode == 0, run.output
    assert "Traceback" not in run.output


def test_second_run_on_a_state_folder_fails(topic: Topic, server: EmbeddedRedis, tmp_path: Path) -> None:
    """The second run ends at once, and its message states the cause."""
    arguments = _arguments(topic, server, tmp_path)
    with running(arguments, tmp_path / "log") as first:
        _wait_for_start(first, "1")
        second = tacit(*arguments)
    assert second.returncode == 1
    assert "another run uses the state folder" in second.stderr


def _arguments(topic: Topic, server: EmbeddedRedis, folder: Path, *more: str) -> list[str]:
    """Return the arguments of a run: checkpoints every second, no metrics."""
    places = ["--redis", server.url, "--state", str(folder / "state"), "--rejects", str(folder / "rejects.jsonl")]
    return ["run", topic.url, *places, "--checkpoint-every", "1", "--metrics", "off", *more]


def _wait_for_start(run: Running, processes: str) -> None:
    eventually(
        lambda: run.output.count("worker.started") == int(processes), within_s=WITHIN_S, what="the workers to start"
    )


def _wait_for_signals(client: redis.Redis, users: int) -> None:
    eventually(lambda: client.dbsize() >= users, within_s=WITHIN_S, what=f"{users} keys in Redis")


def _wait_until_still(client: redis.Redis) -> None:
    """Return once Redis has not changed for a second, far longer than a batch takes."""
    looks: list[tuple[float, dict[str, Any]]] = [(time.monotonic(), everything_in(client))]

    def still() -> bool:
        at, before = looks[-1]
        if time.monotonic() - at < 1.0:
            return False
        looks.append((time.monotonic(), everything_in(client)))
        return looks[-1][1] == before

    eventually(still, within_s=WITHIN_S, what="Redis to stay as it is")


def _wait_until_equal(client: redis.Redis, expected: dict[str, Any], run: Running) -> None:
    try:
        eventually(lambda: everything_in(client) == expected, within_s=WITHIN_S, what="the same bytes in Redis")
    except AssertionError as error:
        held = everything_in(client)
        differing = [key for key in expected.keys() | held.keys() if expected.get(key) != held.get(key)]
        raise AssertionError(f"{len(differing)} keys differ, such as {differing[:2]}; {run.output[-2000:]}") from error


def _records_read(run: Running) -> list[int]:
    """Return the number of records that each cleanly stopped process logged, for all runs of the log."""
    ends = [json.loads(line) for line in run.log.read_text().splitlines() if '"worker.stopped"' in line]
    return [int(end["records"]) for end in ends]
