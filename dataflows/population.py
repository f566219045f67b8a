"""What a process of a run holds to be true of everybody: where it begins, and how its newest version gets to people.

one process: by hand
┌──────────────────────┐
Examples ─► learn_population ─► file, Redis ─► feed of each process ─► Shared ─► adapt
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from connectors.population_feed import PopulationFeed
from connectors.population_file import FILE_NAME, read_version
from connectors.population_sink import PopulationSink
from connectors.population_store import PopulationStore
from connectors.redis_client import RETRY_FOR_S, RedisClient
from connectors.redis_keys import LIVE, RegionKeys
from dataflows.folder import StateFolder
from dataflows.job import Job
from dataflows.settings import Settings
from operators.learn_population import LearnPopulation
from state.catalogue import Catalogue
from state.counters import Counters
from state.prior import Prior, Shared
from state.published import PopulationVersion


@dataclass(frozen=True, slots=True)
class Everybody:
    """The population's belief in one process."""

    shared: Shared
    sink: PopulationSink
    _catalogue: Catalogue
    _counters: Counters
    _goes_on_from: PopulationVersion | None
    _newest: int
    """Number of the newest version that the namespace has: new ones are higher."""
    _by_hand: bool
    _ends: bool

    def build_learn(self, snapshot: bytes | None) -> LearnPopulation:
        """Return the logic of the step that learns: the engine builds it in one process of a run."""
        from state.learner import Learner  # a second and 80 MB: for one process of a run only

        learner = Learner.unpack(snapshot, self._catalogue) if snapshot else Learner(self._catalogue)
        if self._goes_on_from is not None:
            learner.go_on_from(self._goes_on_from)
        return LearnPopulation(
            learner, self._hand_over, self._counters.learning, newest=self._newest, at_end=self._ends
        )

    def _hand_over(self, prior: Prior) -> None:
        if self._by_hand:
            self.shared.prior = prior


@contextmanager
def everybody(job: Job, folder: StateFolder | None, catalogue: Catalogue, counters: Counters) -> Iterator[Everybody]:
    """Give the population's belief for as long as a process runs.

    A live run goes on from the newest version there is. Over history one begins with nothing, as history did, unless
    it goes on where it was interrupted.

    Raises:
        ConfigurationError: the version that the settings name is not kept.
        SinkError: Redis does not say.
    """
    settings, target = job.settings, job.target()
    file = folder.path / FILE_NAME if folder else None
    shared = Shared(Prior(catalogue))
    known: PopulationVersion | None = None
    newest = 0
    with ExitStack() as stack:
        if settings.population != "none":
            with closing(population_store(settings, target.region, target.namespace)) as store:
                if settings.population_version:
                    known = store.pin(settings.population_version, catalogue)
                else:
                    there = store.newest()
                    newest = there.n if there else 0
                    known = _newer(read_version(file) if file else None, None if job.bounded else there)
        if known is not None:
            shared.prior = Prior(catalogue, known)
        if settings.population == "learn" and settings.processes > 1:
            feed = PopulationFeed(
                lambda: population_store(settings, target.region, target.namespace, retry_for_s=0.0),
                lambda version: setattr(shared, "prior", Prior(catalogue, version)),
                after=max(newest, known.n if known else 0),
            )
            stack.enter_context(feed)
        sink = PopulationSink(target, counters.sink, file)
        by_hand = settings.processes == 1
        yield Everybody(shared, sink, catalogue, counters, known, newest, by_hand, job.bounded)


def population_store(
    settings: Settings, region: str, namespace: str, *, retry_for_s: float = RETRY_FOR_S
) -> PopulationStore:
    """Return a connection to a namespace's versions; those it does not have are looked for in the live one."""
    client, keys = RedisClient(settings.redis, retry_for_s=retry_for_s), RegionKeys(region)
    return PopulationStore(client, keys.within(namespace), keys.within(LIVE) if namespace != LIVE else None)


def known_prior(settings: Settings, folder: Path, catalogue: Catalogue) -> tuple[Prior, PopulationVersion | None]:
    """Return what a state folder holds to be true of everybody, for looking at it from outside."""
    version = None if settings.population == "none" else read_version(folder / FILE_NAME)
    return Prior(catalogue, version), version


def _newer(one: PopulationVersion | None, other: PopulationVersion | None) -> PopulationVersion | None:
    """Return the version of the higher number."""
    known = [version for version in (one, other) if version]
    return max(known, key=lambda version: version.n, default=None)
