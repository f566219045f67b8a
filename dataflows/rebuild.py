"""Rebuild of Redis from a state folder, with or without running workers.

Each write has the version of a user's state, as a write of a worker has, and Redis rejects an older version. So a
rebuild can be interrupted and repeated. A state folder does not store the active namespace.
"""

from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter, time_ns

from connectors.files.remembered import read_inputs
from connectors.redis.client import RedisClient
from connectors.redis.fillings import Filling
from connectors.redis.health import redis_problems
from connectors.redis.ownership import NamespaceOwner
from connectors.redis.region_secret import RegionSecret
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Mode, Target
from dataflows.inspection import Inspected
from dataflows.job import FILES
from dataflows.population_run import folder_prior, population_store
from dataflows.settings import Settings
from dataflows.state_folder import Identity, read_folder_id
from state.counters import SinkCounters
from state.errors import SinkError
from state.learning.population_prior import Prior
from state.learning.signals import population_write
from state.storage.checkpoint_reader import CheckpointReader
from state.user.full_write import gate_write, signals_write
from state.user.user_state import UserState
from state.user.writes import SignalWrite
from tacit.contract.keys import LIVE, RegionKeys

BATCH_USERS = 500

User = tuple[bytes, UserState]
Report = Callable[[float], None]
"""Function that receives the finished share of the work, 0–1."""


@dataclass(slots=True)
class Rebuilt:
    """Result of a rebuild."""

    namespace: str
    users: int = 0
    expired: int = 0
    """Number of fields that the rebuild skipped because their time to live is over."""
    sink: SinkCounters = field(default_factory=SinkCounters)
    wall_s: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """Return the summary of `--json`."""
        sink = self.sink
        return {
            "namespace": self.namespace,
            "users": self.users,
            "gates": sink.gates,
            "signals": {
                "applied": sink.applied,
                "stale": sink.stale,
                "expired": self.expired,
                "gated": sink.gated,
                "unwritable": sink.unwritable,
            },
            "wall_s": round(self.wall_s, 3),
        }


def rebuild(inspected: Inspected, settings: Settings, namespace: str | None, report: Report) -> Rebuilt:
    """Write the signals of all users in the newest checkpoints to Redis.

    Wipes and consent of all users precede the first signal.

    Args:
        inspected: state folder.
        settings: Redis, time to live and population model.
        namespace: target; None: the namespace of the folder.
        report: receives the progress.

    Raises:
        OwnershipError: the region's signals have another secret.
        TacitError: Redis does not answer or evicts keys, or the folder is damaged.
    """
    target = _target(inspected.identity, settings, namespace)
    if problems := redis_problems(target.url, target.region):
        raise SinkError("; ".join(problems))
    _require_secret(inspected.identity, target)
    done, started_s = Rebuilt(target.namespace), perf_counter()
    with _filling(inspected, target), closing(SignalWriter(target, done.sink)) as writer:
        prior = _rebuild_population(inspected, settings, target)
        for users in _all_users(inspected.checkpoints, lambda share: report(share / 2)):
            writer.write([gate for user in users if (gate := gate_write(*user, prior))])
        expired_ms = 0 if target.ttl_ms is None else time_ns() // 1_000_000 - target.ttl_ms
        for users in _all_users(inspected.checkpoints, lambda share: report((1 + share) / 2)):
            writer.write([write for user in users for write in _signals(user, prior, expired_ms, done)])
            done.users += len(users)
    done.wall_s = perf_counter() - started_s
    return done


@contextmanager
def _filling(inspected: Inspected, target: Target) -> Iterator[None]:
    """Mark the namespace until the rebuild has ended; of a replay that has not ended, the mark stays.

    As with a replay, signals of a live run, and those that the rebuild only adds to, are no part of a history.
    """
    keys, folder_id, known = RegionKeys(target.region), read_folder_id(inspected.path), read_inputs(inspected.path)
    filling = Filling(folder_id, folder_id, "rebuilt")
    with closing(NamespaceOwner(RedisClient(target.url), keys, target.namespace)) as store:
        adds = target.mode is Mode.FILL and target.namespace in store.namespaces()
        is_live = store.fillings.read().is_live
        if adds and not is_live:
            store.fillings.note_rebuild()
        if adds or is_live:
            yield
            return
        store.fillings.begin(filling)
        yield
        if known is None or known.finished:
            store.fillings.end(filling)


def _require_secret(identity: Identity, target: Target) -> None:
    """Compare the secret of the folder with that of the region in Redis."""
    with closing(RedisClient(target.url)) as client:
        RegionSecret(client, RegionKeys(target.region)).keep(identity.secret)


def _rebuild_population(inspected: Inspected, settings: Settings, target: Target) -> Prior:
    """Publish the population version of the folder, and return its prior."""
    prior, version = folder_prior(settings, inspected.path, inspected.catalogue)
    if version is not None:
        with closing(population_store(settings, target.region, target.namespace)) as store:
            store.publish(population_write(prior, version), fill=target.mode is Mode.FILL)
    return prior


def _target(identity: Identity, settings: Settings, namespace: str | None) -> Target:
    """Return the target; a history in the namespace `live` fills only missing or older fields, as in a replay."""
    into = namespace or identity.namespace
    is_history = into != identity.namespace or identity.source == FILES
    mode = Mode.LIVE if not is_history else Mode.FILL if into == LIVE else Mode.REPLAY
    return Target(settings.redis, identity.region, into, mode, settings.ttl_ms, settings.tombstones_ms)


def _all_users(checkpoints: CheckpointReader, report: Report) -> Iterator[list[User]]:
    """Yield the users of all shards in batches, which bound the memory."""
    count = sum(checkpoint.manifest.users for checkpoint in checkpoints.checkpoints())
    seen = 0
    for shard in checkpoints.shards():
        with checkpoints.open(shard) as reading:
            users = iter(reading or ())
            while batch := list(islice(users, BATCH_USERS)):
                yield batch
                seen += len(batch)
                report(seen / max(seen, count))  # a newer checkpoint of a worker may have more users


def _signals(user: User, prior: Prior, expired_ms: int, done: Rebuilt) -> list[SignalWrite]:
    """Return the signals of a user, if their last event came after `expired_ms`."""
    write = signals_write(*user, prior)
    if write is None or write.at_ms > expired_ms:
        return [write] if write else []
    done.expired += len(write.fields)
    return []
