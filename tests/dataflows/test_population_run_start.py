"""Population model of a process: its start, and the resume of its training."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from connectors.kafka.address import TopicAddress
from connectors.population.file_store import FIRST_NAME
from connectors.population.redis_store import PopulationRedisStore
from connectors.redis.client import RedisClient
from dataflows.graph import Learn
from dataflows.job import Job
from dataflows.population_run import PopulationRun, population_run
from dataflows.settings import Settings
from dataflows.state_folder import locked
from operators.learn_population import LearnPopulation
from operators.rounds import Rounds, resharded
from state.counters import Counters
from state.learning.delta import Delta
from state.learning.example import Example
from state.learning.population_version import PopulationVersion, PopulationWrite, decode_version
from tacit.contract.keys import RegionKeys
from tacit.errors import ConfigurationError
from tests.support.examples import tastes
from tests.support.factories import CATALOGUE
from tests.support.replays import redis_of_its_own
from tests.support.sample_population import write
from tests.support.training import delta_of

EXAMPLES = tastes(2_000, users=40)
TOPIC = TopicAddress(("a:9092",), "events")
SHARDS = 16


@pytest.fixture
def server() -> Iterator[tuple[str, redis.Redis]]:
    with redis_of_its_own() as found:
        yield found


def publish(url: str, number: int) -> None:
    store = PopulationRedisStore(RedisClient(url), RegionKeys("eu").within("live"))
    store.publish(write(number), fill=False)
    store.close()


@contextmanager
def started(
    url: str, folder: Path | None, *, bounded: bool = False, population: str = "learn"
) -> Iterator[PopulationRun]:
    """Yield the population model of one process."""
    job = Job(Settings(embedded=True, redis=url, population=population), TOPIC, bounded)
    if folder is None:
        with population_run(job, None, CATALOGUE, Counters()) as found:
            yield found
        return
    with locked(folder, job.identity, CATALOGUE) as held, population_run(job, held, CATALOGUE, Counters()) as found:
        yield found


def train(found: PopulationRun, learn: Learn, examples: list[Example]) -> list[PopulationVersion]:
    """Train on the examples, in one round of a bounded run, write the published versions, and return them."""
    writes = list[PopulationWrite]()
    if isinstance(learn, LearnPopulation):
        writes += learn.on_batch([delta_of(examples)])[0]
    else:
        assert isinstance(learn, Rounds)
        ends = [Delta(shard, 0, round=0) for shard in range(SHARDS)]
        found_writes, _ = learn.on_batch([delta_of(examples), *ends])
        writes += [write for write in found_writes if isinstance(write, PopulationWrite)]
    sink = found.sink.build("population", 0, 1)
    sink.write_batch([*writes])
    sink.close()
    return [decode_version(write.version) for write in writes]


def test_new_run_starts_from_the_version_of_the_namespace(server: tuple[str, redis.Redis], tmp_path: Path) -> None:
    """The first version has the next number and includes the earlier examples."""
    publish(server[0], 41)
    for folder in (None, tmp_path / "state"):
        with started(server[0], folder) as found:
            assert found.shared.prior.number == 41
            learn = found.build_learn(None)
            assert isinstance(learn, LearnPopulation)
            writes, _ = learn.on_batch([delta_of(EXAMPLES[:1_000])])
            (version,) = [decode_version(write.version) for write in writes]
            assert (version.n, version.examples) == (42, 41_000 + 1_000)


@pytest.mark.parametrize("merged", [0, 300])
def test_run_with_other_shards_takes_the_deltas_of_before_at_its_start(
    merged: int, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """Also before the first state of the step: then training starts from the version of the namespace."""
    publish(server[0], 41)
    with started(server[0], tmp_path / "state") as found:
        first = found.build_learn(None)
        assert isinstance(first, LearnPopulation)
        first.merge([delta_of(EXAMPLES[:merged])] if merged else [])
        snapshot = first.snapshot() if merged else None
        moved = resharded(snapshot, found._key, lambda source: source % 4, [delta_of(EXAMPLES[merged:500])])
        for _ in range(2):  # a restart before the next snapshot repeats it
            learn = found.build_learn(moved)
            assert isinstance(learn, LearnPopulation)
            assert learn.missing == 1_000 - 500
        writes, _ = learn.on_batch([delta_of(EXAMPLES[500:1_000])])
        versions = [decode_version(write.version) for write in writes if isinstance(write, PopulationWrite)]
        assert [version.examples for version in versions] == [41_000 + 1_000]


def test_replay_starts_without_a_version(server: tuple[str, redis.Redis], tmp_path: Path) -> None:
    """The numbers of its versions are above the published numbers."""
    publish(server[0], 41)
    with started(server[0], tmp_path / "state", bounded=True) as found:
        assert found.shared.prior.number == 0
        (version,) = train(found, found.build_learn(None), EXAMPLES[:250])
    assert (version.n, version.examples) == (42, 250)


@pytest.mark.parametrize("published", [None, 41])
def test_training_without_snapshot_starts_from_the_first_version(
    published: int | None, server: tuple[str, redis.Redis], tmp_path: Path
) -> None:
    """After a kill before the first checkpoint, each example is repeated, and counts once."""
    if published:
        publish(server[0], published)
    folder, first = tmp_path / "state", (published or 0) * 1_000
    examples = 1_000 if published else 250  # a young population has a version earlier
    for start in range(2):
        with started(server[0], folder) as found:
            learn = found.build_learn(None)
            assert (folder / FIRST_NAME).exists() is bool(published)
            (version,) = train(found, learn, EXAMPLES[:examples])
        assert (version.n, version.examples) == ((published or 0) + 1 + start, first + examples)


def test_training_resumes_from_its_snapshot(server: tuple[str, redis.Redis], tmp_path: Path) -> None:
    """The run uses the newest version of any process, and the training continues from the snapshot."""
    with started(server[0], tmp_path / "state") as found:
        learn = found.build_learn(None)
        train(found, learn, EXAMPLES[:1_000])
        snapshot = learn.snapshot()
    publish(server[0], 7)
    with started(server[0], tmp_path / "state") as found:
        assert found.shared.prior.number == 7
        version, *_ = train(found, found.build_learn(snapshot), EXAMPLES[1_000:])
    assert (version.n, version.examples) == (8, 2_000)


def test_version_of_the_folder_is_used_if_redis_has_none(server: tuple[str, redis.Redis], tmp_path: Path) -> None:
    """A newer version in Redis replaces the version of the folder."""
    publish(server[0], 41)
    with started(server[0], tmp_path / "state") as found:
        train(found, found.build_learn(None), EXAMPLES[:1_000])
    server[1].flushall()
    with started(server[0], tmp_path / "state") as found:
        assert found.shared.prior.number == 42
    publish(server[0], 43)
    with started(server[0], tmp_path / "state") as found:
        assert found.shared.prior.number == 43


def test_population_without_noise_never_runs(server: tuple[str, redis.Redis], tmp_path: Path) -> None:
    """A run would publish its versions."""
    with pytest.raises(ConfigurationError, match="exact is for tacit evaluate"):
        started(server[0], tmp_path / "state", population="exact").__enter__()


def test_population_setting_decides_on_the_version(server: tuple[str, redis.Redis], tmp_path: Path) -> None:
    """`none` uses no version, and a number uses that version."""
    publish(server[0], 41)
    with started(server[0], tmp_path / "state", population="none") as found:
        assert found.shared.prior.number == 0
    with started(server[0], tmp_path / "state", population="41") as found:
        assert found.shared.prior.number == 41
