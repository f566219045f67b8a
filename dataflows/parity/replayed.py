"""Signals of a replay in memory: the rules of `write_signals.lua` and `gate.lua`, without Redis."""

from collections.abc import Iterable
from time import time_ns

from connectors.redis.held import NO_GATE, VERSION, Fields
from state.user.writes import GateWrite, SignalWrite, Write
from tacit.contract.gates import Gate
from tacit.contract.signals import STATUS, WIPED


class ReplayedUsers:
    """Fields of users as a namespace would hold them after the writes.

    Args:
        ttl_ms: time to live of a signal; None: unlimited.
    """

    def __init__(self, ttl_ms: int | None) -> None:
        self._ttl_ms = ttl_ms
        self._fields: dict[bytes, dict[bytes, bytes]] = {}
        self._gates: dict[bytes, Gate] = {}
        self._wiped_ms: dict[bytes, int] = {}

    def fields(self, user: bytes) -> Fields:
        """Return the fields of a user; none for a user without signals."""
        return self._fields.get(user, {})

    def apply(self, writes: Iterable[Write]) -> None:
        """Take in writes, in order per user."""
        for write in writes:
            if isinstance(write, GateWrite):
                self._apply_gate(write)
            else:
                self._apply_signals(write)

    def _apply_gate(self, write: GateWrite) -> None:
        user, gate = write.user, write.gate
        before = self._gates.get(user, NO_GATE)
        self._gates[user] = gate
        fields = self._fields.setdefault(user, {})
        if gate.wiped_ms > before.wiped_ms or gate.use.state == "denied" or before.use.state == "denied":
            fields.clear()
        for facet, version in gate.wiped.items():
            if fields.get(facet.encode(), b"")[VERSION] <= version.encode():
                fields.pop(facet.encode(), None)
        if fields.keys() == {WIPED.encode()}:  # only the time of the wipe is left
            fields.clear()
        if gate.use.state == "denied":
            text = f'{{"v":"{gate.use.since_ms:013d}-0000000000","status":"opted_out"}}'
            fields[STATUS.encode()] = text.encode()

    def _apply_signals(self, write: SignalWrite) -> None:
        user = write.user
        gate = self._gates.get(user, NO_GATE)
        if gate.use.state == "denied" or write.wiped_ms < gate.wiped_ms or self._is_expired(write.at_ms):
            return
        fields = self._fields.setdefault(user, {})
        if write.wiped_ms > self._wiped_ms.get(user, 0):
            fields.clear()
            self._wiped_ms[user] = write.wiped_ms
        if not fields and write.wiped_ms:
            fields[WIPED.encode()] = f'{{"v":"{write.wiped_ms:013d}-0000000000"}}'.encode()
        for name, content in write.fields:
            version = content[VERSION]
            is_newer = version > fields.get(name.encode(), b"")[VERSION]
            if is_newer and version > gate.wiped.get(name, "").encode():
                fields[name.encode()] = content

    def _is_expired(self, at_ms: int) -> bool:
        return self._ttl_ms is not None and at_ms + self._ttl_ms <= time_ns() // 1_000_000
