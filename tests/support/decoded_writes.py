"""Contents of Redis after writes of a user: the contract's rules for gate and signals, in a dict."""

import json
from collections.abc import Iterable
from typing import Any

from state.user.writes import GateWrite, SignalWrite


class Shown:
    """The hash of a user: field → decoded JSON."""

    def __init__(self) -> None:
        self.fields: dict[str, dict[str, Any]] = {}
        self.wiped_ms = 0
        self.consent = (0, False)
        """Time of the last word on consent, and whether it was no."""

    def take(self, writes: Iterable[object]) -> "Shown":
        """Apply writes in order, and return self; rejects are skipped."""
        for write in writes:
            if isinstance(write, SignalWrite):
                self._take_signals(write)
            elif isinstance(write, GateWrite):
                self._raise_wiped(write.wiped_ms)
                self.consent = max(self.consent, (write.consent_at_ms, write.opted_out))
                if self.consent[1] or self._is_outdated():
                    self.fields = {}
        return self

    def _take_signals(self, write: SignalWrite) -> None:
        if self.consent[1] or write.wiped_ms < self.wiped_ms:
            return
        self._raise_wiped(write.wiped_ms)
        for field, content in write.fields:
            emitted = json.loads(content)
            if field not in self.fields or emitted["v"] > self.fields[field]["v"]:
                self.fields[field] = emitted

    def _raise_wiped(self, wiped_ms: int) -> None:
        if wiped_ms > self.wiped_ms:
            self.wiped_ms, self.fields = wiped_ms, {}

    def _is_outdated(self) -> bool:
        """Check whether a version is not newer than the last wipe."""
        return all(int(emitted["v"][:13]) <= self.wiped_ms for emitted in self.fields.values())
