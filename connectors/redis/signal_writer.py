"""Writer of signals and gates: one Lua call per write, atomic, idempotent, and correct at any delay."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from pathlib import Path
from time import monotonic, time
from typing import cast

import redis
import structlog

from connectors.outage import OutageLog
from connectors.redis.change_feed import ChangeFeed
from connectors.redis.client import RedisClient
from connectors.redis.error_codes import error_code
from connectors.redis.script import Script
from connectors.redis.target import Mode, Target
from state.counters import SinkCounters
from state.errors import SinkError
from state.events.records import WriteReject
from state.user.writes import GateWrite, SignalWrite, StoredHistory, Write
from tacit.contract.gates import encode_gate
from tacit.contract.keys import RegionKeys
from tacit.contract.lifetimes import CONSENT_TTL_MS
from tacit.reader.round_trips import Command, Reply

PIPELINE_WRITES = 128

_SCRIPTS = Path(__file__).with_name("scripts")
_SIGNALS = Script(_SCRIPTS / "gate_text.lua", _SCRIPTS / "write_signals.lua")
_GATE = Script(_SCRIPTS / "gate_text.lua", _SCRIPTS / "gate.lua")
_HISTORY = Script(_SCRIPTS / "history.lua")

_log = structlog.get_logger(__name__)


class SignalWriter:
    """Writer of one worker, with counts of the results.

    Args:
        target: server, namespace and limits.
        counters: counts to add to.
        on_unwritable: callback with each write that Redis will never take.
        advice: end of the text of `SinkError`, such as how to continue.
        permit: called before each batch; an error forbids the batch.

    Raises:
        ConfigurationError: the URL, region or namespace is invalid.
    """

    def __init__(
        self,
        target: Target,
        counters: SinkCounters,
        on_unwritable: Callable[[WriteReject], object] = lambda _: None,
        *,
        advice: str = "",
        permit: Callable[[], object] = lambda: None,
    ) -> None:
        self._permit = permit
        self._keys = RegionKeys(target.region)
        self._own_keys = self._keys.within(target.namespace)
        self._target = target
        self._counters = counters
        self._on_unwritable = on_unwritable
        self._client = RedisClient(
            target.url,
            scripts=(_SIGNALS, _GATE, _HISTORY),
            retry_for_s=target.retry_for_s,
            on_retry=self._record_retry,
            advice=advice,
        )
        self._feed = ChangeFeed(self._client, self._own_keys, counters) if target.mode is Mode.LIVE else None
        self._namespaces = frozenset({target.namespace})
        self._is_registered = False
        self._outages = OutageLog("redis")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def write(self, writes: Sequence[Write], *, is_fresh: bool = True) -> None:
        """Return after Redis has acknowledged all writes; the writes of one user take effect in order.

        Args:
            writes: the writes.
            is_fresh: False for signals of earlier events, of which the freshness does not count.

        Raises:
            SinkError: Redis rejects commands, or does not accept them in time.
        """
        gates = [write for write in writes if isinstance(write, GateWrite)]
        self._permit()
        # Before and after each batch: Redis may have lost the registration without a broken connection.
        self._read_namespaces()
        self._write(writes, is_fresh)
        # A namespace registered meanwhile may have received signals before these gates; later signals meet the gates.
        while self._read_namespaces() and gates:
            self._deliver([self._gate_command(gate) for gate in gates], gates)  # rejects are counted by now

    def _write(self, writes: Sequence[Write], is_fresh: bool) -> None:
        for start in range(0, len(writes), PIPELINE_WRITES):
            part = writes[start : start + PIPELINE_WRITES]
            # Histories come first: commands wait for the effect of a gate.
            histories = [self._history_command(write, write.history) for write in part if write.history is not None]
            commands = [
                self._signals_command(write) if isinstance(write, SignalWrite) else self._gate_command(write)
                for write in part
            ]
            with_history = [write for write in part if write.history is not None]
            replies = self._deliver([*histories, *commands], [*with_history, *part])[len(histories) :]
            self._count(part, replies, is_fresh)
            if self._feed is not None:
                replied = zip(part, replies, strict=True)
                self._feed.announce(write.user for write, reply in replied if _may_change(write, reply))

    def _deliver(self, commands: list[Command], writes: Sequence[Write]) -> list[Reply]:
        replies = self._client.deliver(commands, [write.user for write in writes])
        self._recovered()
        return replies

    def _signals_command(self, write: SignalWrite) -> Command:
        target = self._target
        expire_at_ms = 0 if target.ttl_ms is None else write.at_ms + target.ttl_ms
        return (
            *_SIGNALS.by_hash,
            2,
            self._own_keys.signals(write.user),
            self._keys.gate(write.user),
            write.wiped_ms,
            expire_at_ms,
            target.skew_ms,
            target.tombstone_ms,
            CONSENT_TTL_MS,
            *[member for field in write.fields for member in field],
        )

    def _history_command(self, write: Write, history: StoredHistory) -> Command:
        return (
            *_HISTORY.by_hash,
            2,
            self._keys.history(write.user),
            self._keys.gate(write.user),
            history.content,
            write.gate.wiped_ms if isinstance(write, GateWrite) else write.wiped_ms,
            history.at_ms,
            self._target.ttl_ms or 0,
        )

    def _gate_command(self, write: GateWrite) -> Command:
        return (
            *_GATE.by_hash,
            1 + len(self._namespaces),
            self._keys.gate(write.user),
            *[self._keys.within(name).signals(write.user) for name in sorted(self._namespaces)],
            encode_gate(write.gate),
            self._target.tombstone_ms,
            CONSENT_TTL_MS,
            self._target.ttl_ms or 0,
        )

    def _read_namespaces(self) -> bool:
        """Register the target's namespace, and return whether other namespaces are new."""
        known, key = self._namespaces, self._keys.namespaces
        registered = {name.decode() for name in cast("list[bytes]", self._client.execute(("SMEMBERS", key)))}
        if self._is_registered and self._target.namespace not in registered and self._target.mode is not Mode.LIVE:
            raise SinkError(
                f"Redis lost data of namespace {self._target.namespace} during the replay, such as by FLUSHALL: replay "
                "again from the start, or run tacit rebuild with the state folder, then continue"
            )
        self._is_registered = True
        if self._target.namespace not in registered:  # read first: out of memory, Redis rejects even an idle SADD
            self._client.execute(("SADD", key, self._target.namespace))
        self._namespaces = known | registered
        return self._namespaces != known

    def _count(self, writes: Sequence[Write], replies: Sequence[Reply], is_fresh: bool) -> None:
        now_s = time()
        for write, reply in zip(writes, replies, strict=True):
            if isinstance(reply, redis.RedisError):
                self._reject(write, error_code(reply), now_s)
            elif isinstance(write, GateWrite):
                self._count_gate(write, now_s)
            else:
                self._count_signals(write, cast("list[int]", reply), now_s if is_fresh else None)

    def _count_gate(self, write: GateWrite, now_s: float) -> None:
        self._counters.gates += 1
        if write.asked_ms and self._target.mode is Mode.LIVE:
            self._counters.control_effect.add(max(0.0, now_s - write.asked_ms / 1000))

    def _count_signals(self, write: SignalWrite, reply: list[int], now_s: float | None) -> None:
        code, applied, stale = reply
        counters = self._counters
        if code != 0:
            counters.gated += len(write.fields)
            return
        counters.applied += applied
        counters.stale += stale
        if applied and self._target.mode is Mode.LIVE and now_s is not None:
            counters.freshness.add(now_s - write.at_ms / 1000)

    def _reject(self, write: Write, code: str, now_s: float) -> None:
        """Count a write that Redis will never take, and name the key that another program wrote."""
        self._counters.unwritable += 1
        is_gate = isinstance(write, GateWrite) or code == "BADGATE"
        key = self._keys.gate(write.user) if is_gate else self._own_keys.signals(write.user)
        self._on_unwritable(WriteReject(code, key, sha256(_content(write)).hexdigest(), int(now_s * 1000)))
        _log.error("write.rejected", code=code, namespace=self._target.namespace, key=key)

    def _recovered(self) -> None:
        self._outages.recovered()
        self._counters.refused_at = None

    def _record_retry(self, commands: int, codes: set[str]) -> None:
        self._outages.failed(codes=sorted(codes), retry_for_s=self._target.retry_for_s)
        self._counters.retries += commands
        self._counters.refused_at = self._counters.refused_at or monotonic()


def _may_change(write: Write, reply: Reply) -> bool:
    """Return whether a write has changed the user, or did so before a crash; a rejected gate deletes signals, too."""
    return isinstance(write, GateWrite) or (isinstance(reply, list) and reply[0] == 0)


def _content(write: Write) -> bytes:
    if isinstance(write, GateWrite):
        return encode_gate(write.gate)
    return b"".join(name.encode() + value for name, value in write.fields)
