"""Sink of a dry run: compares writes of signals with Redis, counts them, and writes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from time import time
from typing import NamedTuple

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from connectors.redis.client import RedisClient
from connectors.redis.held import VERSION, fields_of, read_gate
from connectors.redis.signal_writer import PIPELINE_WRITES
from connectors.redis.target import Target
from state.counters import ForeseenCounters, SinkCounters
from state.user.writes import GateWrite, SignalWrite, Write
from tacit.contract.gates import Gate
from tacit.contract.keys import RegionKeys
from tacit.contract.signals import PROFILE, WIPED, decode_signal

_TIME_DIGITS = 13
_WIPED = WIPED.encode()


class _Written(NamedTuple):
    """Signal that the run would have written."""

    version: bytes
    tier: str


@dataclass(slots=True)
class _User:
    """Signals that the run would have written for a user."""

    wiped_ms: int = 0
    signals: dict[str, _Written] = field(default_factory=dict)
    """Facet → last signal."""


class DrySink(DynamicSink[Write]):
    """Sink in which each worker counts the signals and gates of its users.

    It reads the signals and gates that Redis has, and needs no right to write. A dry run holds some 1,400 bytes more
    for each user than the run itself.
    """

    def __init__(self, target: Target, counters: SinkCounters, foreseen: ForeseenCounters) -> None:
        self._target = target
        self._counters = counters
        self._foreseen = foreseen

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "DrySinkPartition":  # noqa: ARG002  Bytewax passes all three
        """Return a worker's partition, with a connection of its own."""
        return DrySinkPartition(self._target, self._counters, self._foreseen)


class DrySinkPartition(StatelessSinkPartition[Write]):
    """One worker's partition of `DrySink`, with the decisions of `write_signals.lua`."""

    def __init__(self, target: Target, counters: SinkCounters, foreseen: ForeseenCounters) -> None:
        self._target = target
        self._counters = counters
        self._foreseen = foreseen
        self._keys = RegionKeys(target.region)
        self._own_keys = self._keys.within(target.namespace)
        self._client = RedisClient(target.url, retry_for_s=target.retry_for_s)
        self._users: dict[bytes, _User] = {}

    def write_batch(self, items: Sequence[Write]) -> None:
        """Count the writes of a batch.

        Raises:
            SinkError: Redis rejects the reads, or does not answer in time.
        """
        for start in range(0, len(items), PIPELINE_WRITES):
            part = items[start : start + PIPELINE_WRITES]
            signals = [write for write in part if isinstance(write, SignalWrite)]
            held = dict(zip([write.user for write in signals], self._read(signals), strict=True))
            for write in part:
                if isinstance(write, GateWrite):
                    self._count_gate(write)
                else:
                    self._count_signals(write, *held[write.user])

    def _read(self, writes: Sequence[SignalWrite]) -> list[tuple[dict[bytes, bytes], Gate]]:
        """Return signals and gate of each user, as Redis has them."""
        keys = [key for write in writes for key in (self._own_keys.signals(write.user), self._keys.gate(write.user))]
        commands = [("GET" if number % 2 else "HGETALL", key) for number, key in enumerate(keys)]
        replies = self._client.deliver(commands, keys)
        pairs = zip(replies[::2], replies[1::2], strict=True)
        return [(fields_of(signals), read_gate(gate)) for signals, gate in pairs]

    def _count_gate(self, write: GateWrite) -> None:
        self._counters.gates += 1
        user, gate = self._users.get(write.user), write.gate
        if user is None:
            return
        if gate.wiped_ms > user.wiped_ms or gate.use.state == "denied":
            self._drop(user, tuple(user.signals))
            self._users.pop(write.user)
            return
        for facet, version in gate.wiped.items():  # each gate of the user repeats the forgets before it
            if (written := user.signals.get(facet)) and written.version <= version.encode():
                self._drop(user, (facet,))

    def _count_signals(self, write: SignalWrite, held: dict[bytes, bytes], gate: Gate) -> None:
        born_ms = int((held.get(_WIPED) or b"")[VERSION][:_TIME_DIGITS] or 0)
        if gate.use.state == "denied" or write.wiped_ms < max(gate.wiped_ms, born_ms):
            self._counters.gated += len(write.fields)
            return
        ttl_ms = self._target.ttl_ms
        expired = ttl_ms is not None and write.at_ms + ttl_ms <= time() * 1000
        for name, content in write.fields:
            old = b"" if write.wiped_ms > born_ms else (held.get(name.encode()) or b"")[VERSION]
            if expired or content[VERSION] <= max(old, gate.wiped.get(name, "").encode()):
                self._counters.stale += 1
                continue
            self._counters.applied += 1
            if name != PROFILE:
                self._put(write, name, content)

    def _put(self, write: SignalWrite, facet: str, content: bytes) -> None:
        user = self._users.setdefault(write.user, _User())
        user.wiped_ms = max(user.wiped_ms, write.wiped_ms)
        self._drop(user, (facet,))
        tier = decode_signal(content).tier
        self._foreseen.users += not user.signals
        user.signals[facet] = _Written(content[VERSION], tier)
        self._foreseen.signals[facet, tier] += 1

    def _drop(self, user: _User, facets: Sequence[str]) -> None:
        """Take back the signals of some facets."""
        for facet in facets:
            if written := user.signals.pop(facet, None):
                self._foreseen.signals[facet, written.tier] -= 1
                self._foreseen.users -= not user.signals

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
