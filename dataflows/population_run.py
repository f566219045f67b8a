"""What a process of a run holds to be true of everybody: where it begins, and how its newest version gets to people.

one process: by hand
┌──────────────────────┐
Examples ─► learn_population ─► file, Redis ─► feed of each process ─► Shared ─► adapt
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.population.feed import PopulationFeed
from connectors.population.file_store import FILE_NAME, FIRST_NAME, PopulationFileStore, read_version
from connectors.population.redis_store import PopulationRedisStore
from connectors.population.sink import PopulationSink
from connectors.redis.client import RETRY_FOR_S, RedisClient
from dataflows.job import Job
from dataflows.settings import Settings
from dataflows.state_folder import StateFolder
from operators.learn_population import LearnPopulation
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_version import PopulationVersion, PopulationWrite, encode_version
from tacit.contract.keys import LIVE, RegionKeys


@dataclass(frozen=True, slots=True)
class PopulationRun:
    """The population's belief in one process."""

    shared: CurrentPrior
    sink: PopulationSink
    _catalogue: NumberedCatalogue
    _counters: Counters
    _folder: Path | None
    _known: PopulationVersion | None
    """The newest version that holds for this run."""
    _there: PopulationVersion | None
    """The newest version that the namespace has: new ones have higher numbers."""
    _by_hand: bool
    _is_bounded: bool

    def build_learn(self, snapshot: bytes | None) -> LearnPopulation:
        """Return the logic of the step that learns: the engine builds it in one process of a run.

        Without a snapshot it begins where the folder began: all that came since comes again.
        """
        from state.learning.population_trainer import (
            PopulationTrainer,
        )  # a second and 80 MB: for one process of a run only

        trainer = (
            PopulationTrainer.unpack(snapshot, self._catalogue) if snapshot else PopulationTrainer(self._catalogue)
        )
        if not snapshot and not self._is_bounded and (first := self._first_version()):
            trainer.start_from(first)
        if self._known is not None:
            trainer.adopt(self._known)
        newest = self._there.n if self._there else 0
        return LearnPopulation(trainer, self._share, self._counters.learning, newest=newest, at_end=self._is_bounded)

    def _first_version(self) -> PopulationVersion | None:
        """Return what the folder's learning began with, which it keeps."""
        if self._folder is None:
            return self._there
        first = read_version(self._folder / FIRST_NAME)
        if first is None and self._there is not None and not (self._folder / FILE_NAME).exists():
            first = self._there
            PopulationFileStore(self._folder / FIRST_NAME).write(
                PopulationWrite(first.n, first.at, first.examples, encode_version(first), ())
            )
        return first

    def _share(self, prior: Prior) -> None:
        if self._by_hand:
            self.shared.prior = prior


@contextmanager
def population_run(
    job: Job, folder: StateFolder | None, catalogue: NumberedCatalogue, counters: Counters
) -> Iterator[PopulationRun]:
    """Give the population's belief for as long as a process runs.

    A live run goes on from the newest version there is. Over history one begins with nothing, as history did, unless
    it goes on where it was interrupted.

    Raises:
        ConfigurationError: the version that the settings name is not kept.
        SinkError: Redis does not say.
    """
    settings, target = job.settings, job.target()
    file = folder.path / FILE_NAME if folder else None
    shared = CurrentPrior(Prior(catalogue))
    known = there = None
    with ExitStack() as stack:
        if settings.population != "none":
            with closing(population_store(settings, target.region, target.namespace)) as store:
                if settings.population_version:
                    known = store.pin(settings.population_version, catalogue)
                else:
                    there = store.newest()
                    known = _newer(read_version(file) if file else None, None if job.bounded else there)
        if known is not None:
            shared.prior = Prior(catalogue, known)
        if settings.population == "learn" and settings.processes > 1:
            feed = PopulationFeed(
                lambda: population_store(settings, target.region, target.namespace, retry_for_s=0.0),
                lambda version: setattr(shared, "prior", Prior(catalogue, version)),
                after=newest.n if (newest := _newer(there, known)) else 0,
            )
            stack.enter_context(feed)
        sink = PopulationSink(target, counters.sink, file)
        by_hand, path = settings.processes == 1, folder.path if folder else None
        yield PopulationRun(shared, sink, catalogue, counters, path, known, there, by_hand, job.bounded)


def population_store(
    settings: Settings, region: str, namespace: str, *, retry_for_s: float = RETRY_FOR_S
) -> PopulationRedisStore:
    """Return a connection to a namespace's versions; those it does not have are looked for in the live one."""
    client, keys = RedisClient(settings.redis, retry_for_s=retry_for_s), RegionKeys(region)
    return PopulationRedisStore(client, keys.within(namespace), keys.within(LIVE) if namespace != LIVE else None)


def known_prior(
    settings: Settings, folder: Path, catalogue: NumberedCatalogue
) -> tuple[Prior, PopulationVersion | None]:
    """Return what a state folder holds to be true of everybody, for looking at it from outside."""
    version = None if settings.population == "none" else read_version(folder / FILE_NAME)
    return Prior(catalogue, version), version


def _newer(one: PopulationVersion | None, other: PopulationVersion | None) -> PopulationVersion | None:
    """Return the version of the higher number."""
    known = [version for version in (one, other) if version]
    return max(known, key=lambda version: version.n, default=None)
