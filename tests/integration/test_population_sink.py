"""The population's sink on a real Redis: the file first, then Redis, and troubles that pass."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Thread

import bytewax.operators as op
import pytest
import redis
from bytewax.dataflow import Dataflow, Stream
from bytewax.testing import TestingSource, run_main

from connectors.population.file_store import FILE_NAME, read_version
from connectors.population.redis_store import PopulationRedisStore
from connectors.population.sink import PopulationSink, PopulationSinkPartition
from connectors.redis.client import RedisClient
from connectors.redis.target import Mode, Target
from state.counters import SinkCounters
from state.errors import SinkError, StorageError
from state.learning.population_version import PopulationWrite
from tacit.contract.keys import RegionKeys
from tacit.errors import ConfigurationError
from tests.support.conditions import eventually
from tests.support.ports import free_port
from tests.support.sample_population import version, write
from tests.support.sample_signals import NOW_MS

LIVE = RegionKeys("eu").within("live")


@pytest.fixture
def counters() -> SinkCounters:
    return SinkCounters()


@pytest.fixture
def target(redis_url: str) -> Target:
    return Target(redis_url, "eu", retry_for_s=5.0)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


@pytest.fixture
def store(redis_url: str) -> Iterator[PopulationRedisStore]:
    with closing(PopulationRedisStore(RedisClient(redis_url), LIVE)) as opened:
        yield opened


@pytest.fixture
def make(counters: SinkCounters) -> Iterator[Callable[[Target, Path | None], PopulationSinkPartition]]:
    made: list[PopulationSinkPartition] = []

    def build(target: Target, file: Path | None) -> PopulationSinkPartition:
        made.append(PopulationSink(target, counters, file).build("out", 0, 1))
        return made[-1]

    yield build
    for partition in made:
        partition.close()


Make = Callable[[Target, Path | None], PopulationSinkPartition]


def test_dataflow_publishes_every_version(
    target: Target, counters: SinkCounters, file: Path, store: PopulationRedisStore
) -> None:
    writes = [write(n) for n in range(1, 13)]
    flow = Dataflow("test")
    stream: Stream[PopulationWrite] = op.input("in", flow, TestingSource(writes, batch_size=5))
    op.output("out", stream, PopulationSink(target, counters, file))
    run_main(flow)
    assert store.newest() == read_version(file) == version(12)
    assert [n for n in range(1, 13) if store.fetch(n)] == [*range(3, 13)]
    assert counters.retries == 0


def test_without_a_state_folder_there_is_no_file(target: Target, make: Make, store: PopulationRedisStore) -> None:
    make(target, None).write_batch([write(1)])
    assert store.newest() == version(1)


def test_what_was_written_again_after_a_crash_changes_nothing(
    target: Target, make: Make, file: Path, store: PopulationRedisStore
) -> None:
    make(target, file).write_batch([write(1), write(2), write(3)])
    make(target, file).write_batch([write(2), write(3)])
    assert store.newest() == read_version(file) == version(3)


def test_history_beside_live_workers_keeps_its_version_to_itself(
    target: Target, make: Make, file: Path, store: PopulationRedisStore
) -> None:
    """It is in the replay's own state folder, which goes on from it."""
    store.publish(write(1, NOW_MS), fill=False)
    make(replace(target, mode=Mode.FILL), file).write_batch([write(2, NOW_MS - 1)])
    assert store.newest() == version(1, NOW_MS)
    assert read_version(file) == version(2, NOW_MS - 1)


def test_other_namespaces_are_left_alone(target: Target, make: Make, store: PopulationRedisStore) -> None:
    make(replace(target, namespace="shadow", mode=Mode.REPLAY), None).write_batch([write(1)])
    assert store.newest() is None


def test_trouble_that_passes_is_waited_for(
    target: Target, make: Make, counters: SinkCounters, redis_client: redis.Redis, store: PopulationRedisStore
) -> None:
    redis_client.config_set("maxmemory", 1)

    def end_it() -> None:
        eventually(lambda: counters.retries, within_s=5, what="the first retry")
        redis_client.config_set("maxmemory", 0)

    ending = Thread(target=end_it)
    ending.start()
    make(target, None).write_batch([write(1)])
    ending.join()
    assert store.newest() == version(1)


def test_redis_that_stays_away_ends_in_an_error_and_the_version_is_in_the_file(make: Make, file: Path) -> None:
    target = Target(f"redis://127.0.0.1:{free_port()}", "eu", retry_for_s=0.1)
    with pytest.raises(SinkError, match="CONNECTION"):
        make(target, file).write_batch([write(1)])
    assert read_version(file) == version(1)


def test_full_disk_ends_in_an_error_and_redis_has_nothing_that_the_file_has_not(
    target: Target, make: Make, file: Path, store: PopulationRedisStore
) -> None:
    file.with_name(f"{FILE_NAME}.new").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="make room"):
        make(target, file).write_batch([write(1)])
    assert store.newest() is None


def test_target_that_cannot_be_is_refused(make: Make) -> None:
    with pytest.raises(ConfigurationError):
        make(Target("http://redis", "eu"), None)
