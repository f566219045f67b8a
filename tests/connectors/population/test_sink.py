"""Sink of the population model on a real Redis: first the file, then Redis, also after outages."""

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


def test_version_repeated_after_a_crash_changes_nothing(
    target: Target, make: Make, file: Path, store: PopulationRedisStore
) -> None:
    make(target, file).write_batch([write(1), write(2), write(3)])
    make(target, file).write_batch([write(2), write(3)])
    assert store.newest() == read_version(file) == version(3)


def test_replay_next_to_live_workers_publishes_no_version(
    target: Target, make: Make, file: Path, store: PopulationRedisStore
) -> None:
    """The version is in the replay's own state folder, from which the replay resumes."""
    store.publish(write(1, NOW_MS), fill=False)
    make(replace(target, mode=Mode.FILL), file).write_batch([write(2, NOW_MS - 1)])
    assert store.newest() == version(1, NOW_MS)
    assert read_version(file) == version(2, NOW_MS - 1)


def test_other_namespaces_are_unchanged(target: Target, make: Make, store: PopulationRedisStore) -> None:
    make(replace(target, namespace="shadow", mode=Mode.REPLAY), None).write_batch([write(1)])
    assert store.newest() is None


def test_write_waits_for_the_end_of_an_outage(
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


def test_long_outage_is_an_error_and_the_file_has_the_version(make: Make, file: Path) -> None:
    target = Target(f"redis://127.0.0.1:{free_port()}", "eu", retry_for_s=0.1)
    with pytest.raises(SinkError, match="CONNECTION"):
        make(target, file).write_batch([write(1)])
    assert read_version(file) == version(1)


def test_full_disk_is_an_error_before_the_write_to_redis(
    target: Target, make: Make, file: Path, store: PopulationRedisStore
) -> None:
    file.with_name(f"{FILE_NAME}.new").symlink_to("/dev/full")
    with pytest.raises(StorageError, match="free space"):
        make(target, file).write_batch([write(1)])
    assert store.newest() is None


def test_invalid_target_is_rejected(make: Make) -> None:
    with pytest.raises(ConfigurationError):
        make(Target("http://redis", "eu"), None)
