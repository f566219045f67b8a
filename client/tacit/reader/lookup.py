"""What to ask Redis about people, and what to make of its answers: no connection, so one code for both readers."""

import re
import time
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from tacit.contract.activity import aged
from tacit.contract.catalogue import Catalogue
from tacit.contract.keys import LIVE, NAMESPACE, RegionKeys
from tacit.contract.signals import PROFILE, STATUS, Profile, Signal, decode_profile, decode_signal
from tacit.contract.versions import is_version
from tacit.reader.adaptation import Adaptation, Status
from tacit.reader.dialogue import Command, Dialogue, Reply

Lookup = Dialogue[Sequence[Command], Sequence[Reply], list[Adaptation]]

AGED_AFTER_MS = 15 * 86_400_000
"""Half the usual time to live."""
ACTIVE_FOR_S = 1.0
DEFAULTS_FOR_S = 60.0
"""How long the active namespace, and the population's defaults, are remembered."""
MAX_VALUE_BYTES = 4096
"""A field of a signals hash that is longer was not written by us."""

_STATUS, _PROFILE = STATUS.encode(), PROFILE.encode()


class _Remembered(NamedTuple):
    """The population's defaults of a namespace, and when they were read."""

    namespace: str
    signals: Mapping[str, Signal]
    read_at_s: float


class Lookups:
    """Makes lookups, and remembers between them which namespace is active and what the population's defaults are.

    Args:
        namespace: the one to read; None: the one that `active` names, looked at once a second.
        clock_s: seconds since the epoch.
    """

    def __init__(
        self, keys: RegionKeys, catalogue: Catalogue, namespace: str | None, clock_s: Callable[[], float] = time.time
    ) -> None:
        self._keys = keys
        self._catalogue = catalogue
        self._follow = namespace is None
        self._clock_s = clock_s
        self._within = keys.within(namespace or LIVE)
        self._active_read_at_s = float("-inf")
        self._defaults = _Remembered(self._within.namespace, {}, float("-inf"))
        self._facets = [
            (name, name.encode(), frozenset(facet.values), frozenset({*facet.values, None}), facet.default)
            for name, facet in catalogue.facets.items()
        ]
        self._kinds = frozenset(catalogue.feedback)

    def lookup(self, users: Sequence[bytes]) -> Lookup:
        """Yield commands, be sent their replies, and return an adaptation per user (16-byte digests), in order.

        One round trip; a second if the active namespace has moved since it was last looked at.
        """
        while True:
            now_s = self._clock_s()
            within = self._within
            ask_active = self._follow and now_s - self._active_read_at_s >= ACTIVE_FOR_S
            remembered = self._defaults
            ask_defaults = remembered.namespace != within.namespace or now_s - remembered.read_at_s >= DEFAULTS_FOR_S
            commands: list[Command] = [("HGETALL", within.signals(user)) for user in users]
            commands += [("HGETALL", within.defaults)] * ask_defaults
            commands += [("GET", self._keys.active)] * ask_active
            replies = yield commands
            if ask_active:
                self._note_active(replies[-1], now_s)
            if within != self._within:
                continue
            if self._follow and self._active_read_at_s == float("-inf"):  # which namespace counts is not known yet
                return [self._without_signals("unavailable") for _ in users]
            if ask_defaults:
                self._note_defaults(within.namespace, replies[len(users)], now_s)
            return [self._adaptation(reply, int(now_s * 1000)) for reply in replies[: len(users)]]

    def _note_active(self, reply: Reply, now_s: float) -> None:
        if isinstance(reply, Exception):
            return
        name = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else LIVE
        self._within = self._keys.within(name if re.fullmatch(NAMESPACE, name) else LIVE)
        self._active_read_at_s = now_s

    def _note_defaults(self, namespace: str, reply: Reply, now_s: float) -> None:
        if isinstance(reply, list):
            self._defaults = _Remembered(namespace, self._signals(_fields(reply)), now_s)

    def _adaptation(self, reply: Reply, now_ms: int) -> Adaptation:
        if not isinstance(reply, list):
            return self._without_signals("unavailable")
        if not reply:
            return self._without_signals("absent")
        fields = _fields(reply)
        if _STATUS in fields:  # even one that cannot be read: when in doubt, out
            return self._without_signals("opted_out")
        signals, profile = self._signals(fields), _profile(fields.get(_PROFILE), now_ms)
        if not signals and profile is None:
            return self._without_signals("unknown_schema")
        status: Status = "aged" if _is_aged(signals, profile, now_ms) else "fresh"
        return Adaptation(status, signals, profile, self._population(), self._catalogue)

    def _without_signals(self, status: Status) -> Adaptation:
        return Adaptation(status, {}, None, self._population(), self._catalogue)

    def _population(self) -> Mapping[str, Signal]:
        """Return the defaults, however old: those of a minute ago are better than none."""
        return self._defaults.signals if self._defaults.namespace == self._within.namespace else {}

    def _signals(self, fields: Mapping[bytes, bytes]) -> dict[str, Signal]:
        """Return the signals that can be read and say nothing outside the catalogue."""
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
                signal = self._without_strangers(signal, others, default)
            found[name] = signal
        return found

    def _are_kinds(self, why: tuple[tuple[str, int], ...]) -> bool:
        for kind, _ in why:  # noqa: SIM110  a generator costs four times this loop
            if kind not in self._kinds:
                return False
        return True

    def _without_strangers(self, signal: Signal, others: frozenset[str | None], default: str | None) -> Signal:
        """Leave out what stands beside the value and is none of the catalogue's; its default takes the place of one."""
        is_ranked = signal.runner_up in others
        return msgspec.structs.replace(
            signal,
            default=signal.default if signal.default in others else default,
            runner_up=signal.runner_up if is_ranked else None,
            gap=signal.gap if is_ranked else None,
            why=tuple([entry for entry in signal.why if entry[0] in self._kinds]),
        )


def without_asking(commands: Sequence[Command]) -> list[Reply]:
    """Return the replies of a Redis that does not answer."""
    return [ConnectionError()] * len(commands)


def _fields(reply: list[Reply]) -> dict[bytes, bytes]:
    """Return a hash; what no Redis sends is left out."""
    pairs = zip(reply[::2], reply[1::2], strict=False)
    return {name: value for name, value in pairs if isinstance(name, bytes) and isinstance(value, bytes)}


def _profile(raw: bytes | None, now_ms: int) -> Profile | None:
    """Return the profile as it looks now: what was counted in a window that has passed is zero."""
    if raw is None or len(raw) > MAX_VALUE_BYTES:
        return None
    try:
        profile = decode_profile(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    activity = aged(profile.activity, now_ms - profile.at)
    return profile if activity is profile.activity else msgspec.structs.replace(profile, activity=activity)


def _is_aged(signals: Mapping[str, Signal], profile: Profile | None, now_ms: int) -> bool:
    """Say whether nothing was heard for long; a person's own settings do not age."""
    since_ms = now_ms - AGED_AFTER_MS
    if profile is not None and profile.at >= since_ms:
        return False
    heard_at = [signal.at for signal in signals.values() if signal.source != "user"]
    return bool(heard_at or profile) and max(heard_at, default=0) < since_ms
