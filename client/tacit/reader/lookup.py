"""Lookup of users: commands for Redis, and adaptations from the replies. No I/O, so both readers share this code."""

import math
import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from tacit.contract.activity import aged
from tacit.contract.catalogue import Catalogue
from tacit.contract.keys import LIVE, NAMESPACE, RegionKeys
from tacit.contract.lifetimes import AGED_AFTER_MS
from tacit.contract.signals import PROFILE, STATUS, Profile, Signal, decode_profile, decode_signal
from tacit.contract.versions import is_version
from tacit.reader.adaptation import Adaptation, Status
from tacit.reader.round_trips import Command, Reply, RoundTrips

Lookup = RoundTrips[Sequence[Command], Sequence[Reply], list[Adaptation]]

ACTIVE_FOR_S = 1.0
DEFAULTS_FOR_S = 60.0
"""Lifetimes of the cached active namespace and of the population's cached defaults."""
MAX_VALUE_BYTES = 4096
"""Longest field of a signals hash; a worker writes shorter ones."""

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
        self._facets = [
            (name, name.encode(), frozenset(facet.values), frozenset({*facet.values, None}), facet.default)
            for name, facet in catalogue.facets.items()
        ]
        self._kinds = frozenset(catalogue.feedback)

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
            commands: list[Command] = [("HGETALL", keys.signals(user)) for user in users]
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
                return [self._without_signals("unavailable") for _ in users]
            if reads_defaults:
                self._cache_defaults(keys.namespace, replies[len(users)], now_s)
            return [self._adaptation(reply, int(now_s * 1000)) for reply in replies[: len(users)]]

    def _cache_active(self, reply: Reply, now_s: float) -> None:
        if isinstance(reply, Exception):
            return
        name = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else LIVE
        self._keys = self._region_keys.within(name if re.fullmatch(NAMESPACE, name) else LIVE)
        self._active_read_at_s = now_s

    def _cache_defaults(self, namespace: str, reply: Reply, now_s: float) -> None:
        if isinstance(reply, list):
            self._defaults = _CachedDefaults(namespace, self._signals(_fields(reply)), now_s)

    def _adaptation(self, reply: Reply, now_ms: int) -> Adaptation:
        if not isinstance(reply, list):
            return self._without_signals("unavailable")
        if not reply:
            return self._without_signals("absent")
        fields = _fields(reply)
        if _STATUS in fields:  # an unreadable status counts as opted out, too
            return self._without_signals("opted_out")
        signals, profile = self._signals(fields), _profile(fields.get(_PROFILE), now_ms)
        if not signals and profile is None:
            return self._without_signals("unknown_schema")
        status: Status = "aged" if _is_aged(signals, profile, now_ms) else "fresh"
        return Adaptation(status, signals, profile, self._population(), self._catalogue)

    def _without_signals(self, status: Status) -> Adaptation:
        return Adaptation(status, {}, None, self._population(), self._catalogue)

    def _population(self) -> Mapping[str, Signal]:
        """Return the cached defaults of any age: old defaults are better than none."""
        return self._defaults.signals if self._defaults.namespace == self._keys.namespace else {}

    def _signals(self, fields: Mapping[bytes, bytes]) -> dict[str, Signal]:
        """Return the signals that are readable and in the catalogue."""
        found = {}
        for name, field, values, others, default in self._facets:
            raw = fields.get(field)
            if raw is None or len(raw) > MAX_VALUE_BYTES:
                continue
            try:
                signal = decode_signal(raw)
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue
            if signal.value not in values or not 0 <= signal.explore <= 1 or not is_version(signal.v):
                continue
            if signal.default not in others or signal.runner_up not in others or not self._are_kinds(signal.why):
                signal = self._restricted(signal, others, default)
            found[name] = signal
        return found

    def _are_kinds(self, why: tuple[tuple[str, int], ...]) -> bool:
        for kind, _ in why:  # noqa: SIM110  a generator costs four times this loop
            if kind not in self._kinds:
                return False
        return True

    def _restricted(self, signal: Signal, others: frozenset[str | None], default: str | None) -> Signal:
        """Replace members of a signal that are not in the catalogue: the catalogue's default, or none."""
        is_ranked = signal.runner_up in others
        return msgspec.structs.replace(
            signal,
            default=signal.default if signal.default in others else default,
            runner_up=signal.runner_up if is_ranked else None,
            gap=signal.gap if is_ranked else None,
            why=tuple([entry for entry in signal.why if entry[0] in self._kinds]),
        )


def unavailable(commands: Sequence[Command]) -> list[Reply]:
    """Return an error per command, as from a Redis that does not answer."""
    return [ConnectionError()] * len(commands)


def _fields(reply: list[Reply]) -> dict[bytes, bytes]:
    """Return the fields of a hash, without entries of other types."""
    pairs = zip(reply[::2], reply[1::2], strict=False)
    return {name: value for name, value in pairs if isinstance(name, bytes) and isinstance(value, bytes)}


def _profile(raw: bytes | None, now_ms: int) -> Profile | None:
    """Return the profile as of now, with zero for windows that have passed."""
    if raw is None or len(raw) > MAX_VALUE_BYTES:
        return None
    try:
        profile = decode_profile(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    activity = aged(profile.activity, now_ms - profile.at)
    return profile if activity is profile.activity else msgspec.structs.replace(profile, activity=activity)


def _is_aged(signals: Mapping[str, Signal], profile: Profile | None, now_ms: int) -> bool:
    """Return whether the newest signal is old; a user's pins do not age."""
    since_ms = now_ms - AGED_AFTER_MS
    if profile is not None and profile.at >= since_ms:
        return False
    emitted_at = [signal.at for signal in signals.values() if signal.source != "user"]
    return bool(emitted_at or profile) and max(emitted_at, default=0) < since_ms
