"""Contents of Redis after writes of a user: the contract's rules for gate and signals, in a dict."""

import json
from collections.abc import Iterable
from typing import Any

from state.user.writes import GateWrite, SignalWrite
from tacit.contract.gates import STATES, Gate, GatePin, ScopeConsent

_RANKS = {state: rank for rank, state in enumerate(STATES.values())}


class Shown:
    """The gate of a user and the hash: field → decoded JSON."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[str, Any]] = {}
        self.gate = Gate()

    @property
    def pins(self) -> dict[str, str]:
        """Facet → pinned value; empty for a user who denied `use`."""
        if self.is_denied:
            return {}
        return {facet: pin.value for facet, pin in self.gate.pins.items() if pin.value is not None}

    @property
    def is_denied(self) -> bool:
        """The consent to `use` is denied."""
        return self.gate.use.state == "denied"

    def take(self, writes: Iterable[object]) -> "Shown":
        """Apply writes in order, and return self; rejects are skipped."""
        for write in writes:
            if isinstance(write, SignalWrite):
                self._take_signals(write)
            elif isinstance(write, GateWrite):
                before, self.gate = self.gate, merged(self.gate, write.gate)
                if self.is_denied or self.gate.wiped_ms > before.wiped_ms:
                    self.fields = {}
                for facet, version in self.gate.wiped.items():
                    if facet in self.fields and self.fields[facet]["v"] <= version:
                        del self.fields[facet]
        return self

    def _take_signals(self, write: SignalWrite) -> None:
        if self.is_denied or write.wiped_ms < self.gate.wiped_ms:
            return
        if write.wiped_ms > self.gate.wiped_ms:
            self.gate, self.fields = merged(self.gate, Gate(write.wiped_ms)), {}
        for field, content in write.fields:
            emitted = json.loads(content)
            if emitted["v"] <= self.gate.wiped.get(field, ""):
                continue
            if field not in self.fields or emitted["v"] > self.fields[field]["v"]:
                self.fields[field] = emitted


def merged(one: Gate, other: Gate) -> Gate:
    """Return the newest of each part; `other` comes later."""
    forgotten_ms = max(one.forgotten_ms, other.forgotten_ms)
    pins = dict(one.pins)
    for facet, pin in other.pins.items():
        if pin.at_ms >= pins.get(facet, GatePin(None, 0)).at_ms:
            pins[facet] = pin
    return Gate(
        max(one.wiped_ms, other.wiped_ms),
        forgotten_ms,
        _newest(one.learn, other.learn),
        _newest(one.use, other.use),
        _newest(one.explore, other.explore),
        {facet: pin for facet, pin in pins.items() if pin.at_ms > forgotten_ms},
        {
            name: version
            for name in one.wiped | other.wiped
            if int((version := max(one.wiped.get(name, ""), other.wiped.get(name, "")))[:13]) > forgotten_ms
        },
    )


def _newest(*consents: ScopeConsent) -> ScopeConsent:
    return max(consents, key=lambda consent: (consent.since_ms, _RANKS[consent.state]))
