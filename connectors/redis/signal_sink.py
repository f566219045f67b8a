"""Signals and gates into Redis: one Lua call per write, atomic, safe to repeat and to make late."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path
from time import time
from typing import cast

import redis
import structlog
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from connectors.redis.client import RETRY_FOR_S, RedisClient, Script, error_code
from state.counters import SinkCounters
from state.errors import SinkError
from state.events.records import AnyReject, WriteReject
from state.user.writes import GateWrite, SignalWrite, Write
from tacit.contract.keys import LIVE, RegionKeys
from tacit.contract.lifetimes import SIGNAL_TTL_MS
from tacit.reader.round_trips import Command, Reply

SKEW_MS = 6 * 60_000
"""How far ahead of Redis' clock a version may be: what parsing lets pass (5 minutes), and a minute between clocks."""

PIPELINE_WRITES = 128

_log = structlog.get_logger(__name__)


class Mode(StrEnum):
    """How a run's writes stand to those of others in its namespace."""

    LIVE = "live"
    REPLAY = "replay"
    """History, into a namespace of its own."""
    FILL = "fill"
    """History, beside live writers: fills what is missing or older in event time, and is no more than that."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where signals go, and how."""

    url: str
    region: str
    namespace: str = LIVE
    mode: Mode = Mode.LIVE
    ttl_ms: int | None = SIGNAL_TTL_MS
    """Time to live, from the event's time; None: for ever."""
    skew_ms: int = SKEW_MS
    retry_for_s: float = RETRY_FOR_S


_SIGNALS = Script(Path(__file__).with_name("scripts") / "write_signals.lua")
_GATE = Script(Path(__file__).with_name("scripts") / "gate.lua")


class SignalWriter:
    """Writes for one worker, and counts what became of them.

    Args:
        target: where to, and how.
        counters: what is counted.
        on_unwritable: called with each write of signals that will never be taken.

    Raises:
        ConfigurationError: the URL, region or namespace cannot be.
    """

    def __init__(
        self, target: Target, counters: SinkCounters, on_unwritable: Callable[[WriteReject], object] = lambda _: None
    ) -> None:
        self._keys = RegionKeys(target.region)
        self._own = self._keys.within(target.namespace)
        self._target = target
        self._script_mode = "fill" if target.mode is Mode.FILL else "live"
        self._counters = counters
        self._on_unwritable = on_unwritable
        self._client = RedisClient(
            target.url, scripts=(_SIGNALS, _GATE), retry_for_s=target.retry_for_s, on_retry=self._note_retry
        )
        self._namespaces = frozenset({target.namespace})
        self._registered = False
        self._is_waiting = False
        """It met trouble and has not got through since."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def write(self, writes: Sequence[Write]) -> None:
        """Return when Redis has acknowledged all `writes`; those of one person take effect in their order.

        Raises:
            SinkError: Redis refused for a reason that does not pass, or did not answer in time.
        """
        gates = [write for write in writes if isinstance(write, GateWrite)]
        if gates or not self._registered:
            self._look_for_namespaces()
        self._write(writes)
        # Into a namespace registered meanwhile, signals may have come before these gates; later ones meet the gate.
        while gates and self._look_for_namespaces():
            for reply in self._deliver([self._gate_command(gate) for gate in gates], gates):
                _require_gate(reply)

    def _write(self, writes: Sequence[Write]) -> None:
        for start in range(0, len(writes), PIPELINE_WRITES):
            part = writes[start : start + PIPELINE_WRITES]
            commands = [
                self._signals_command(write) if isinstance(write, SignalWrite) else self._gate_command(write)
                for write in part
            ]
            self._count(part, self._deliver(commands, part))

    def _deliver(self, commands: list[Command], writes: Sequence[Write]) -> list[Reply]:
        replies = self._client.deliver(commands, [write.user for write in writes])
        if self._is_waiting:
            _log.info("redis.goes_on")
        self._is_waiting = False
        return replies

    def _signals_command(self, write: SignalWrite) -> Command:
        target = self._target
        expire_at_ms = 0 if target.ttl_ms is None else write.at_ms + target.ttl_ms
        return (
            *_SIGNALS.by_hash,
            2,
            self._own.signals(write.user),
            self._keys.gate(write.user),
            write.wiped_ms,
            expire_at_ms,
            self._script_mode,
            target.skew_ms,
            target.ttl_ms or 0,
            *[word for field in write.fields for word in field],
        )

    def _gate_command(self, write: GateWrite) -> Command:
        return (
            *_GATE.by_hash,
            1 + len(self._namespaces),
            self._keys.gate(write.user),
            *[self._keys.within(name).signals(write.user) for name in sorted(self._namespaces)],
            write.wiped_ms,
            write.consent_at_ms,
            "x" if write.opted_out else "-",
            self._target.skew_ms,
        )

    def _look_for_namespaces(self) -> bool:
        """Register our namespace, and say whether there are others that we did not know; now we do."""
        known, key = self._namespaces, self._keys.namespaces
        registered = {name.decode() for name in cast("list[bytes]", self._client.ask(("SMEMBERS", key)))}
        if self._target.namespace not in registered:  # asked first: out of memory, Redis refuses even an idle SADD
            self._client.ask(("SADD", key, self._target.namespace))
        self._registered = True
        self._namespaces = known | registered
        return self._namespaces != known

    def _count(self, writes: Sequence[Write], replies: Sequence[Reply]) -> None:
        now_s = time()
        for write, reply in zip(writes, replies, strict=True):
            if isinstance(write, GateWrite):
                _require_gate(reply)
                self._counters.gates += 1
            elif isinstance(reply, redis.RedisError):
                self._reject(write, error_code(reply), now_s)
            else:
                self._count_signals(write, cast("list[int]", reply), now_s)

    def _count_signals(self, write: SignalWrite, reply: list[int], now_s: float) -> None:
        code, applied, stale = reply
        counters = self._counters
        if code != 0:
            counters.gated += len(write.fields)
            return
        counters.applied += applied
        counters.stale += stale
        if applied and self._target.mode is Mode.LIVE:
            counters.freshness.add(now_s - write.at_ms / 1000)

    def _reject(self, write: SignalWrite, code: str, now_s: float) -> None:
        self._counters.unwritable += 1
        content = b"".join(name.encode() + value for name, value in write.fields)
        self._on_unwritable(
            WriteReject(code, self._own.signals(write.user), sha256(content).hexdigest(), int(now_s * 1000))
        )
        _log.error("redis.write_rejected", code=code, namespace=self._target.namespace)

    def _note_retry(self, commands: int, codes: set[str]) -> None:
        if not self._is_waiting:
            _log.warning("redis.waiting", codes=sorted(codes), for_at_most_s=self._target.retry_for_s)
        self._is_waiting = True
        self._counters.retries += commands
        self._registered = False  # the server that comes back may have lost it


def _require_gate(reply: Reply) -> None:
    """Raise SinkError unless a gate was written: a "no" must not get lost, so the run ends here and does it again."""
    if isinstance(reply, redis.RedisError):
        raise SinkError(
            f"Redis refused a wipe or a word on consent: {error_code(reply)}; BADEPOCH: its clock is behind, set it; "
            "WRONGTYPE: a gate's key holds something else, which has to go"
        )


class RedisSink(DynamicSink[Write]):
    """Every worker writes its people's signals and gates; a batch is done when Redis has acknowledged all of it.

    What Redis will never take is done when it is told as a reject. That sink is made by the first worker that needs it.
    """

    def __init__(
        self, target: Target, counters: SinkCounters, make_rejects: Callable[[], DynamicSink[AnyReject]]
    ) -> None:
        self._target = target
        self._counters = counters
        self._make_rejects = make_rejects

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "RedisSinkPartition":
        """Return a worker's part, with a connection of its own."""
        return RedisSinkPartition(
            self._target, self._counters, lambda: self._make_rejects().build(step_id, worker_index, worker_count)
        )


class RedisSinkPartition(StatelessSinkPartition[Write]):
    """One worker's part of `RedisSink`."""

    def __init__(
        self, target: Target, counters: SinkCounters, open_rejects: Callable[[], StatelessSinkPartition[AnyReject]]
    ) -> None:
        self._unwritable: list[AnyReject] = []
        self._writer = SignalWriter(target, counters, self._unwritable.append)
        self._open_rejects = open_rejects
        self._rejects: StatelessSinkPartition[AnyReject] | None = None

    def write_batch(self, items: list[Write]) -> None:
        """Write a batch; as `SignalWriter.write`.

        Raises:
            SinkError: also where rejects cannot be told.
        """
        self._unwritable.clear()
        self._writer.write(items)
        if self._unwritable:
            self._rejects = self._rejects or self._open_rejects()
            self._rejects.write_batch(self._unwritable)

    def close(self) -> None:
        """Close the connections."""
        self._writer.close()
        if self._rejects:
            self._rejects.close()
