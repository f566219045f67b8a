"""Population model in a process of a run: its start, and the way of new versions to the users' states.

one process: direct
┌──────────────────────┐
Examples ─► learn_population ─► file, Redis ─► feed of each process ─► CurrentPrior ─► adapt
"""

from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from connectors.population.feed import PopulationFeed
from connectors.population.file_store import FILE_NAME, FIRST_NAME, PopulationFileStore, read_version
from connectors.population.redis_store import PopulationRedisStore
from connectors.population.sink import PopulationSink
from connectors.redis.client import RETRY_FOR_S, RedisClient
from dataflows.job import Job
from dataflows.settings import EXACT, Settings
from dataflows.state_folder import StateFolder
from operators.learn_population import LearnPopulation
from operators.prove import Prove
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.learning.encryption import derived_key
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_version import PopulationVersion, PopulationWrite, encode_version
from state.learning.proof_trainer import ProofTrainer
from tacit.contract.keys import LIVE, RegionKeys
from tacit.errors import ConfigurationError

if TYPE_CHECKING:
    from state.learning.challenger import Challengers  # a second and 80 MB, by River

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class PopulationRun:
    """Population model of one process."""

    shared: CurrentPrior
    sink: PopulationSink
    _catalogue: NumberedCatalogue
    _key: bytes
    """Key of the noise and of the stored state."""
    _counters: Counters
    _folder: Path | None
    _used: PopulationVersion | None
    """Newest version that this run uses."""
    _published: PopulationVersion | None
    """Newest version of the namespace; new versions get higher numbers."""
    _sets_prior: bool
    """True if the training step sets `shared`, as in a run of one process; otherwise a feed does."""
    _is_bounded: bool
    _settings: Settings

    def build_learn(self, snapshot: bytes | None) -> LearnPopulation | Prove:
        """Return the logic of the training step; Bytewax builds it in one process of a run.

        Before its first example, training starts from the first version of the folder: the run repeats later events.
        """
        if self._settings.population != "learn":
            proof = ProofTrainer(self._catalogue, self._key, lambda: self.shared.prior.default_slots, snapshot)
            return Prove(proof, self._counters.learning, at_end=self._is_bounded)
        # The import takes 1 s and 80 MB, and only one process of a run needs it.
        from state.learning.population_trainer import PopulationTrainer

        trainer = (
            PopulationTrainer.unpack(snapshot, self._catalogue, self._key)
            if snapshot
            else PopulationTrainer(self._catalogue, self._key)
        )
        if trainer.is_new and not self._is_bounded and (first := self._first_version()):
            trainer.start_from(first)
        if self._used is not None:
            trainer.adopt(self._used)
        newest = self._published.n if self._published else 0
        return LearnPopulation(
            trainer,
            self._share,
            self._counters.learning,
            newest=newest,
            at_end=self._is_bounded,
            challengers=build_challengers(self._settings),
        )

    def _first_version(self) -> PopulationVersion | None:
        """Return the version with which training in the folder started; the folder keeps a copy."""
        if self._folder is None:
            return self._published
        first = read_version(self._folder / FIRST_NAME)
        if first is None and self._published is not None and not (self._folder / FILE_NAME).exists():
            first = self._published
            PopulationFileStore(self._folder / FIRST_NAME).write(
                PopulationWrite(first.n, first.at, first.examples, encode_version(first), ())
            )
        return first

    def _share(self, prior: Prior) -> None:
        if self._sets_prior:
            self.shared.prior = prior


@contextmanager
def population_run(
    job: Job, folder: StateFolder | None, catalogue: NumberedCatalogue, counters: Counters
) -> Iterator[PopulationRun]:
    """Yield the population model of a process.

    A live run starts from the newest version of the namespace. A replay starts without a version, as the history did,
    unless the replay resumes.

    Raises:
        ConfigurationError: Redis does not have the version of the settings, or the settings are for an evaluation.
        SinkError: Redis does not answer.
    """
    settings, target = job.settings, job.target()
    if settings.population == EXACT:
        raise ConfigurationError(
            ["population: exact is for tacit evaluate, because its versions show single feedback; use learn or none"]
        )
    file = folder.path / FILE_NAME if folder else None
    shared, key = CurrentPrior(Prior(catalogue)), derived_key(settings.secret_bytes)
    used = published = None
    with ExitStack() as stack:
        if settings.population != "none":
            with closing(population_store(settings, target.region, target.namespace)) as store:
                if settings.population_version:
                    used = store.pin(settings.population_version, catalogue)
                else:
                    published = store.newest()
                    used = _newest(read_version(file) if file else None, None if job.bounded else published)
        if used is not None:
            shared.prior = Prior(catalogue, used)
        if settings.population == "learn" and settings.processes > 1:
            feed = PopulationFeed(
                lambda: population_store(settings, target.region, target.namespace, retry_for_s=0.0),
                lambda version: setattr(shared, "prior", Prior(catalogue, version)),
                after=newest.n if (newest := _newest(published, used)) else 0,
            )
            stack.enter_context(feed)
        sink = PopulationSink(target, counters.sink, file)
        sets_prior, path = settings.processes == 1, folder.path if folder else None
        yield PopulationRun(
            shared, sink, catalogue, key, counters, path, used, published, sets_prior, job.bounded, settings
        )


def build_challengers(settings: Settings) -> "Challengers | None":
    """Return the challengers of the settings, untrained; None without any.

    Raises:
        ConfigurationError: a class or a parameter is wrong.
    """
    if not settings.challenger:
        return None
    from state.learning.challenger import Challenger, Challengers

    models = settings.models or {}
    built = [Challenger(path, models.get(path), settings.challenger_share) for path in settings.challenger]
    return Challengers(built, lambda path, error: _log.error("challenger.stopped", model=path, error=error))


def population_store(
    settings: Settings, region: str, namespace: str, *, retry_for_s: float = RETRY_FOR_S
) -> PopulationRedisStore:
    """Return the store of a namespace's versions; a missing version is read from the namespace `live`."""
    client, keys = RedisClient(settings.redis, retry_for_s=retry_for_s), RegionKeys(region)
    return PopulationRedisStore(client, keys.within(namespace), keys.within(LIVE) if namespace != LIVE else None)


def folder_prior(
    settings: Settings, folder: Path, catalogue: NumberedCatalogue
) -> tuple[Prior, PopulationVersion | None]:
    """Return the prior and the version of a state folder, for its inspection; None: the folder has no version."""
    version = None if settings.population == "none" else read_version(folder / FILE_NAME)
    return Prior(catalogue, version), version


def _newest(one: PopulationVersion | None, other: PopulationVersion | None) -> PopulationVersion | None:
    """Return the version of the higher number."""
    versions = [version for version in (one, other) if version]
    return max(versions, key=lambda version: version.n, default=None)
