"""Population model in a process of a run: its start, and the way of new versions to the users' states.

live, one process: direct
                   ┌──────────────────────────────┐
train ─ Delta ─► learn_population ─► file, Redis ─► feed of each process ─► CurrentPrior ─► adapt, train
bounded: the version of each round, by the board
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from connectors.population.feed import PopulationFeed
from connectors.population.file_store import (
    FILE_NAME,
    FIRST_NAME,
    PopulationFileStore,
    first_number,
    read_version,
)
from connectors.population.redis_store import PopulationRedisStore
from connectors.population.sink import PopulationSink
from connectors.redis.client import RETRY_FOR_S, RedisClient
from connectors.redis.round_store import RedisRoundStore
from connectors.rounds.board import FileRoundStore, RoundBoard, RoundStore
from dataflows.earlier_votes import read_earlier_votes
from dataflows.graph import Learn
from dataflows.job import Job
from dataflows.settings import EXACT, Settings
from dataflows.state_folder import StateFolder
from operators.learn_population import LearnPopulation
from operators.prove import Prove
from operators.rounds import Rounds, Trainer, Write, stored_version, trainer_state, waiting_deltas
from operators.train import TrainShard
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.learning.contributors import Contributors
from state.learning.delta import Delta
from state.learning.encryption import derived_key
from state.learning.feature_numbers import FeatureNumbers
from state.learning.features import Features
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_version import PopulationVersion, PopulationWrite, decode_version, encode_version
from state.learning.proof_trainer import ProofTrainer
from state.learning.shard_training import ShardTraining
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
    rounds: RoundBoard | None
    """Open round of a bounded run."""
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
    """True if the training step sets `shared`, as in a live run of one process; otherwise a feed or the board does."""
    _settings: Settings
    _numbers: FeatureNumbers
    """Numbers of features for all shards of the process."""
    _earlier_season: int
    _earlier: Mapping[str, Contributors]
    """Contributors of that season in a state of an earlier version; all shards of the process share them."""

    def build_train(self, snapshot: bytes | None) -> TrainShard:
        """Return the logic of a shard's training."""
        settings = self._settings
        training = ShardTraining(
            self._catalogue,
            self._key,
            shards=settings.shards,
            teaches=settings.population == "learn",
            numbers=self._numbers,
        )
        if self._earlier:
            training.refuse(self._earlier, self._earlier_season)
        return TrainShard(
            training,
            self.shared,
            self._counters.learning,
            shards=settings.shards,
            key=self._key,
            snapshot=snapshot,
            enter_round=self.rounds.enter if self.rounds else None,
            keeps_messages=bool(settings.challenger),
        )

    def build_learn(self, snapshot: bytes | None) -> Learn:
        """Return the logic of the training step; Bytewax builds it in one process of a run."""
        state = trainer_state(snapshot) if snapshot else None
        if self._settings.population != "learn":
            proof = ProofTrainer(self._catalogue, self._key, state)
            prove = Prove(proof, self._counters.learning)
            if self.rounds:
                return self._in_rounds(prove, lambda _: b"", snapshot)
            prove.merge(self._waiting_in(snapshot))
            return prove
        learn = self._build_training(snapshot, state)
        if self.rounds:
            return self._in_rounds(learn, lambda write: write.version, snapshot)
        learn.merge(self._waiting_in(snapshot))
        return learn

    def _waiting_in(self, snapshot: bytes | None) -> list[Delta]:
        """Return the deltas of a bounded run that had not ended its round."""
        return waiting_deltas(snapshot, self._key) if snapshot else []

    def _build_training(self, snapshot: bytes | None, state: bytes | None) -> LearnPopulation:
        """Return the training.

        Before its first example, live training starts from the first version of the folder: the run repeats later
        events. Numbers of a bounded run continue those of its snapshot, so a repeated part repeats its numbers.
        """
        # The import takes 1 s and 80 MB, and only one process of a run needs it.
        from state.learning.population_trainer import PopulationTrainer

        trainer = (
            PopulationTrainer.unpack(state, self._catalogue, self._key)
            if state
            else PopulationTrainer(self._catalogue, self._key)
        )
        used, newest = self._used, self._published.n if self._published else 0
        if self.rounds:
            version = stored_version(snapshot) if snapshot else b""
            used = decode_version(version) if version else None
            newest = first_number(self._folder, newest)
        elif trainer.is_new and (first := self._first_version()):
            trainer.start_from(first)
        if used is not None:
            trainer.adopt(used)
        return LearnPopulation(
            trainer,
            self._share,
            self._counters.learning,
            newest=newest,
            challengers=build_challengers(self._settings),
        )

    def _in_rounds(
        self, trainer: Trainer[Write], version_of: Callable[[Write], bytes], snapshot: bytes | None
    ) -> Rounds[Write]:
        assert self.rounds is not None  # noqa: S101  # only a bounded run has rounds
        return Rounds(
            trainer, version_of, self.rounds.open, shards=self._settings.shards, key=self._key, snapshot=snapshot
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
    job: Job,
    folder: StateFolder | None,
    catalogue: NumberedCatalogue,
    counters: Counters,
    run_folder: Path | None = None,
    start: str = "",
) -> Iterator[PopulationRun]:
    """Yield the population model of a process.

    A live run starts from the newest version of the namespace. A replay starts without a version, as the history did;
    a replay that resumes gets the version of its open round from its snapshot. `run_folder` is the folder that all
    processes of this machine share, and `start` the name of the common start of several hosts.

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
                    used = store.pin(settings.population_version, catalogue, writes=not job.is_dry)
                else:
                    published = store.newest()
                    used = None if job.bounded else _newest(read_version(file) if file else None, published)
        if used is not None:
            shared.prior = Prior(catalogue, used)

        def use(version: bytes, prior: Prior | None) -> None:
            shared.prior = prior or Prior(catalogue, decode_version(version))

        if settings.population == "learn" and settings.workers > 1 and not job.bounded:
            feed = PopulationFeed(
                lambda: population_store(settings, target.region, target.namespace, retry_for_s=0.0),
                lambda version: setattr(shared, "prior", Prior(catalogue, version)),
                after=newest.n if (newest := _newest(published, used)) else 0,
            )
            stack.enter_context(feed)
        sink = PopulationSink(target, counters.sink, file)
        rounds = RoundBoard(use, _round_store(job, run_folder, start, stack)) if job.bounded else None
        earlier = read_earlier_votes(folder, key)
        sets_prior, path = settings.workers == 1 and not job.bounded, folder.path if folder else None
        yield PopulationRun(
            shared, sink, rounds, catalogue, key, counters, path, used, published, sets_prior, settings,
            FeatureNumbers(catalogue, Features(catalogue)), earlier.season, earlier.sets(),
        )  # fmt: skip


def _round_store(job: Job, run_folder: Path | None, start: str, stack: ExitStack) -> RoundStore | None:
    """Return the store of the open round, which all processes share; None for a single process."""
    if start:
        target = job.target()
        client = RedisClient(target.url, retry_for_s=target.retry_for_s)
        keys = RegionKeys(target.region).within(target.namespace)
        return stack.enter_context(closing(RedisRoundStore(client, keys, start)))
    return FileRoundStore(run_folder) if run_folder else None


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
