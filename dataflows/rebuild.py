"""Redis written again from a state folder, beside running workers or without: what it lost comes back.

Every write is one that a worker could make: of the version that the person's state has, refused where Redis holds
something newer. So a rebuild can be repeated, or broken off and begun again. It cannot know which namespace was active.
"""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter, time_ns

from connectors.redis.health import redis_problems
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Mode, Target
from dataflows.inspection import Inspected
from dataflows.job import FILES
from dataflows.population_run import known_prior, population_store
from dataflows.settings import Settings
from dataflows.state_folder import Identity
from state.counters import SinkCounters
from state.errors import SinkError
from state.learning.population_prior import Prior
from state.learning.signals import population_write
from state.storage.checkpoint_reader import CheckpointReader
from state.user.full_write import gate_of, learned_of, pins_of
from state.user.user_state import UserState
from state.user.writes import SignalWrite
from tacit.contract.keys import LIVE

USERS_AT_ONCE = 500

Person = tuple[bytes, UserState]
Report = Callable[[float], None]
"""Hears what share of the work is done, 0–1."""


@dataclass(slots=True)
class Rebuilt:
    """What a rebuild did."""

    namespace: str
    people: int = 0
    expired: int = 0
    """Fields that were not written as they would have expired by now."""
    sink: SinkCounters = field(default_factory=SinkCounters)
    wall_s: float = 0.0

    def as_dict(self) -> dict[str, object]:
        """Return the summary for `--json`."""
        sink = self.sink
        return {
            "namespace": self.namespace,
            "people": self.people,
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
    """Say again all that the newest checkpoints hold of everybody, in the folder's namespace if none is given.

    Everybody's wipes and consent come before anybody's signals.

    Raises:
        TacitError: Redis or the folder cannot be relied on.
    """
    target = _target(inspected.identity, settings, namespace)
    if problems := redis_problems(target.url, target.region):
        raise SinkError("; ".join(problems))
    done, started_s = Rebuilt(target.namespace), perf_counter()
    prior = _rebuild_population(inspected, settings, target)
    with closing(SignalWriter(target, done.sink)) as writer:
        for people in _all_users(inspected.shelf, lambda share: report(share / 2)):
            writer.write([gate for person in people if (gate := gate_of(*person))])
        expired_ms = 0 if target.ttl_ms is None else time_ns() // 1_000_000 - target.ttl_ms
        for people in _all_users(inspected.shelf, lambda share: report((1 + share) / 2)):
            writer.write([write for person in people for write in _signals(person, prior, expired_ms, done)])
            done.people += len(people)
    done.wall_s = perf_counter() - started_s
    return done


def _rebuild_population(inspected: Inspected, settings: Settings, target: Target) -> Prior:
    """Write what is believed of everybody, and return it."""
    prior, version = known_prior(settings, inspected.path, inspected.catalogue)
    if version is not None:
        with closing(population_store(settings, target.region, target.namespace)) as store:
            store.publish(population_write(prior, version), fill=target.mode is Mode.FILL)
    return prior


def _target(identity: Identity, settings: Settings, namespace: str | None) -> Target:
    """Return where signals go; history beside live workers only fills what is missing or older, as in a replay."""
    into = namespace or identity.namespace
    is_history = into != identity.namespace or identity.source == FILES
    mode = Mode.LIVE if not is_history else Mode.FILL if into == LIVE else Mode.REPLAY
    return Target(settings.redis, identity.region, into, mode, settings.ttl_ms)


def _all_users(shelf: CheckpointReader, report: Report) -> Iterator[list[Person]]:
    """Go through everybody in all shards, some at a time, so that memory stays bounded."""
    users = sum(checkpoint.manifest.users for checkpoint in shelf.checkpoints())
    seen = 0
    for shard in shelf.shards():
        with shelf.open(shard) as reading:
            people = iter(reading or ())
            while some := list(islice(people, USERS_AT_ONCE)):
                yield some
                seen += len(some)
                report(seen / max(seen, users))  # workers may have made newer checkpoints, with more users


def _signals(person: Person, prior: Prior, expired_ms: int, done: Rebuilt) -> list[SignalWrite]:
    """Return what to write of a person; what was said up to `expired_ms` is over, their own settings aside."""
    pins, learned = pins_of(*person, prior), learned_of(*person, prior)
    if learned and learned.at_ms <= expired_ms:
        done.expired += len(learned.fields)
        learned = None
    return [write for write in (pins, learned) if write]
