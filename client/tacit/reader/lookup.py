"""Lookup of users: commands for Redis, and adaptations from the replies. No I/O, so both readers share this code."""

import math
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from tacit.contract.catalogue import Catalogue
from tacit.contract.gates import UNASKED, UNKNOWN, Consents, GatePin, read_gate
from tacit.contract.holdout import is_held_out
from tacit.contract.keys import LIVE, RegionKeys, active_namespace
from tacit.contract.lifetimes import AGED_AFTER_MS
from tacit.contract.pseudonyms import pseudonym_text
from tacit.contract.signals import PROFILE, STATUS, Profile, Signal
from tacit.reader.adaptation import Adaptation, Status
from tacit.reader.decoder import Decoder
from tacit.reader.pins import with_pins
from tacit.reader.round_trips import Command, Reply, RoundTrips

Lookup = RoundTrips[Sequence[Command], Sequence[Reply], list[Adaptation]]

ACTIVE_FOR_S = 1.0
DEFAULTS_FOR_S = 60.0
"""Lifetimes of the cached active namespace and of the population's cached defaults."""
MAX_GATE_BYTES = 16_384
"""Longest gate; a pin and a partial wipe of each of 64 facets take less."""

_NEVER_S = -math.inf
_STATUS, _PROFILE = STATUS.encode(), PROFILE.encode()


class _CachedDefaults(NamedTuple):
    """Population's defaults of a namespace, and the time of the read."""

    namespace: str
    signals: Mapping[str, Signal]
    read_at_s: float


class Lookups:
    """Factory of lookups, with a cache of the active namespace and of the population's defaults.

    Args:
        keys: the region's keys.
        catalogue: the deployment's catalogue.
        namespace: the namespace to read; None: the active one, checked once a second.
        clock_s: Unix time in seconds.
    """

    def __init__(
        self, keys: RegionKeys, catalogue: Catalogue, namespace: str | None, clock_s: Callable[[], float] = time.time
    ) -> None:
        self._region_keys = keys
        self._catalogue = catalogue
        self._follows_active = namespace is None
        self._clock_s = clock_s
        self._keys = keys.within(namespace or LIVE)
        self._active_read_at_s = _NEVER_S
        self._defaults = _CachedDefaults(self._keys.namespace, {}, _NEVER_S)
        self._decoder = Decoder(catalogue)

    def lookup(self, users: Sequence[bytes]) -> Lookup:
        """Yield commands, receive the replies, and return an adaptation per user, in order.

        One round trip; a second one if the active namespace has changed.

        Args:
            users: 16-byte pseudonyms.
        """
        while True:
            now_s = self._clock_s()
            keys = self._keys
            reads_active = self._follows_active and now_s - self._active_read_at_s >= ACTIVE_FOR_S
            cached = self._defaults
            reads_defaults = cached.namespace != keys.namespace or now_s - cached.read_at_s >= DEFAULTS_FOR_S
            names = [pseudonym_text(user) for user in users]
            commands: list[Command] = [("HGETALL", keys.signals_of(name)) for name in names]
            commands += [("GET", self._region_keys.gate_of(name)) for name in names]
            if reads_defaults:
                commands.append(("HGETALL", keys.defaults))
            if reads_active:
                commands.append(("GET", self._region_keys.active))
            replies = yield commands
            if reads_active:
                self._cache_active(replies[-1], now_s)
            if keys != self._keys:
                continue
            if self._follows_active and self._active_read_at_s == _NEVER_S:
                return [self._without_signals(user, "unavailable", UNKNOWN) for user in users]
            count = len(users)
            if reads_defaults:
                self._cache_defaults(keys.namespace, replies[2 * count], now_s)
            now_ms = int(now_s * 1000)
            found = zip(users, replies[:count], replies[count : 2 * count], strict=True)
            return [self._adaptation(user, signals, gate, now_ms) for user, signals, gate in found]

    def _cache_active(self, reply: Reply, now_s: float) -> None:
        if isinstance(reply, Exception):
            return
        self._keys = self._region_keys.within(active_namespace(reply))
        self._active_read_at_s = now_s

    def _cache_defaults(self, namespace: str, reply: Reply, now_s: float) -> None:
        if isinstance(reply, list):
            self._defaults = _CachedDefaults(namespace, self._decoder.defaults(_fields(reply)), now_s)

    def _adaptation(self, user: bytes, reply: Reply, gate_reply: Reply, now_ms: int) -> Adaptation:
        consent, pins = _gate(gate_reply)
        if consent is UNKNOWN:
            return self._without_signals(user, "unavailable" if _is_failure(gate_reply) else "opted_out", consent)
        if consent.use == "denied":
            return self._without_signals(user, "opted_out", consent)
        if not isinstance(reply, list):
            return self._without_signals(user, "unavailable", consent)
        if not reply and not pins:
            return self._without_signals(user, "absent", consent)
        fields = _fields(reply)
        if _STATUS in fields:  # an unreadable status counts as opted out, too
            return self._without_signals(user, "opted_out", consent._replace(use="denied"))
        signals, profile = self._decoder.signals(fields), self._decoder.profile(fields.get(_PROFILE), now_ms)
        decided = frozenset(self._catalogue.facets.keys() & pins.keys()) if pins else frozenset()
        if pins:
            signals = with_pins(signals, pins, self._population(), self._catalogue)
        if not signals and profile is None:
            return self._without_signals(user, "unknown_schema" if fields else "absent", consent, decided)
        status: Status = "aged" if _is_aged(signals, profile, now_ms) else "fresh"
        return self._made(user, status, signals, profile, consent, decided)

    def _without_signals(
        self, user: bytes, status: Status, consent: Consents, decided: frozenset[str] = frozenset()
    ) -> Adaptation:
        return self._made(user, status, {}, None, consent, decided)

    def _made(
        self,
        user: bytes,
        status: Status,
        signals: Mapping[str, Signal],
        profile: Profile | None,
        consent: Consents,
        decided: frozenset[str],
    ) -> Adaptation:
        catalogue = self._catalogue
        held_out, region = is_held_out(user, catalogue.holdout.share), self._region_keys.region
        return Adaptation(status, signals, profile, self._population(), catalogue, consent, held_out, decided, region)

    def _population(self) -> Mapping[str, Signal]:
        """Return the cached defaults of any age: old defaults are better than none."""
        return self._defaults.signals if self._defaults.namespace == self._keys.namespace else {}


def unavailable(commands: Sequence[Command]) -> list[Reply]:
    """Return an error per command, as from a Redis that does not answer."""
    return [ConnectionError()] * len(commands)


def _fields(reply: list[Reply]) -> dict[bytes, bytes]:
    """Return the fields of a hash, without entries of other types."""
    pairs = zip(reply[::2], reply[1::2], strict=False)
    return {name: value for name, value in pairs if isinstance(name, bytes) and isinstance(value, bytes)}


def _gate(reply: Reply) -> tuple[Consents, Mapping[str, GatePin]]:
    """Return consents and pins in the reply for a gate; `UNKNOWN` if it is no gate."""
    if reply is None:
        return UNASKED, {}
    if not isinstance(reply, bytes) or len(reply) > MAX_GATE_BYTES:
        return UNKNOWN, {}
    try:
        return read_gate(reply)
    except ValueError:
        return UNKNOWN, {}


def _is_failure(reply: Reply) -> bool:
    """Return whether Redis failed to answer; a key of another type is an answer."""
    return isinstance(reply, Exception) and not str(reply).startswith("WRONGTYPE")


def _is_aged(signals: Mapping[str, Signal], profile: Profile | None, now_ms: int) -> bool:
    """Return whether the newest signal is old; a user's pins do not age."""
    since_ms = now_ms - AGED_AFTER_MS
    if profile is not None and profile.at >= since_ms:
        return False
    emitted_at = [signal.at for signal in signals.values() if signal.source != "user"]
    return bool(emitted_at or profile) and max(emitted_at, default=0) < since_ms
