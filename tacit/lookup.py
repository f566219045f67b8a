"""What to ask Redis about people, and what to make of its answers: no connection, so one code for both readers."""

import re
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Literal, NamedTuple

import msgspec

from connectors.redis_keys import LIVE, NAMESPACE, RegionKeys
from state.catalogue import Catalogue
from state.signals import PROFILE, STATUS, Profile, Signal, decode_profile, decode_signal, is_version
from tacit.adaptation import Adaptation, Status

Command = tuple[Literal["GET", "HGETALL"], str]
Reply = object
"""What Redis answered; an exception for a command that failed."""
Lookup = Generator[Sequence[Command], Sequence[Reply], list[Adaptation]]

AGED_AFTER_MS = 15 * 86_400_000
"""Half the usual time to live."""
ACTIVE_FOR_S = 1.0
DEFAULTS_FOR_S = 60.0
"""How long the active namespace, and the population's defaults, are remembered."""
MAX_VALUE_BYTES = 4096
"""A field of a signals hash that is longer was not written by us."""

_HOUR_MS = 3_600_000


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
        self._namespace = keys.within(namespace or LIVE).namespace
        self._active_read_at_s = float("-inf")
        self._defaults = _Remembered(self._namespace, {}, float("-inf"))
        self._facets = [
            (name, name.encode(), frozenset(facet.values), facet.default) for name, facet in catalogue.facets.items()
        ]
        self._kinds = frozenset(catalogue.feedback)

    def lookup(self, users: Sequence[bytes]) -> Lookup:
        """Yield commands, be sent their replies, and return an adaptation per user (16-byte digests), in order.

        One round trip; a second if the active namespace has moved since it was last looked at.
        """
        while True:
            now_s = self._clock_s()
            namespace = self._namespace
            ask_active = self._follow and now_s - self._active_read_at_s >= ACTIVE_FOR_S
            ask_defaults = self._defaults.namespace != namespace or now_s - self._defaults.read_at_s >= DEFAULTS_FOR_S
            within = self._keys.within(namespace)
            commands: list[Command] = [("HGETALL", within.signals(user)) for user in users]
            commands += [("HGETALL", within.defaults)] * ask_defaults
            commands += [("GET", self._keys.active)] * ask_active
            replies = yield commands
            if ask_active:
                self._note_active(replies[-1], now_s)
            if namespace != self._namespace:
                continue
            if ask_defaults:
                self._note_defaults(namespace, replies[len(users)], now_s)
            return [self._adaptation(reply, int(now_s * 1000)) for reply in replies[: len(users)]]

    def _note_active(self, reply: Reply, now_s: float) -> None:
        if isinstance(reply, Exception):
            return
        name = reply.decode("utf-8", "replace") if isinstance(reply, bytes) else LIVE
        self._namespace = name if re.fullmatch(NAMESPACE, name) else LIVE
        self._active_read_at_s = now_s

    def _note_defaults(self, namespace: str, reply: Reply, now_s: float) -> None:
        if isinstance(reply, dict):
            self._defaults = _Remembered(namespace, self._signals(reply), now_s)

    def _adaptation(self, reply: Reply, now_ms: int) -> Adaptation:
        if not isinstance(reply, dict):
            return self._without_signals("unavailable")
        if not reply:
            return self._without_signals("absent")
        if STATUS.encode() in reply:  # even one that cannot be read: when in doubt, out
            return self._without_signals("opted_out")
        signals, profile = self._signals(reply), _profile(reply.get(PROFILE.encode()), now_ms)
        if not signals and profile is None:
            return self._without_signals("unknown_schema")
        status: Status = "aged" if _is_aged(signals, profile, now_ms) else "fresh"
        return Adaptation(status, signals, profile, self._population(), self._catalogue)

    def _without_signals(self, status: Status) -> Adaptation:
        return Adaptation(status, {}, None, self._population(), self._catalogue)

    def _population(self) -> Mapping[str, Signal]:
        """Return the defaults, however old: those of a minute ago are better than none."""
        return self._defaults.signals if self._defaults.namespace == self._namespace else {}

    def _signals(self, fields: Mapping[bytes, bytes]) -> dict[str, Signal]:
        """Return the signals that can be read and say nothing outside the catalogue."""
        found = {}
        for name, field, values, default in self._facets:
            raw = fields.get(field)
            if raw is not None and (signal := _signal(raw, values, default, self._kinds)):
                found[name] = signal
        return found


def _signal(raw: bytes, values: frozenset[str], default: str | None, kinds: frozenset[str]) -> Signal | None:
    """Return a signal that says nothing but these values of its facet, and these kinds of feedback.

    Values beside its own that are none of them are left out; in place of its default comes the catalogue's.
    """
    if len(raw) > MAX_VALUE_BYTES:
        return None
    try:
        signal = decode_signal(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    if signal.value not in values or not 0 <= signal.explore <= 1 or not is_version(signal.v):
        return None
    if signal.default is not None and signal.default not in values:
        signal = msgspec.structs.replace(signal, default=default)
    if signal.runner_up is not None and signal.runner_up not in values:
        signal = msgspec.structs.replace(signal, runner_up=None, gap=None)
    for kind, _ in signal.why:
        if kind not in kinds:
            return msgspec.structs.replace(signal, why=tuple([entry for entry in signal.why if entry[0] in kinds]))
    return signal


def _profile(raw: bytes | None, now_ms: int) -> Profile | None:
    """Return the profile as it looks now: what was counted in a window that has passed is zero."""
    if raw is None or len(raw) > MAX_VALUE_BYTES:
        return None
    try:
        profile = decode_profile(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    age_ms = now_ms - profile.at
    activity = msgspec.structs.replace(
        profile.activity,
        hour=profile.activity.hour if age_ms < _HOUR_MS else 0,
        day=profile.activity.day if age_ms < 24 * _HOUR_MS else 0,
        week=profile.activity.week if age_ms < 168 * _HOUR_MS else 0,
    )
    return msgspec.structs.replace(profile, activity=activity)


def _is_aged(signals: Mapping[str, Signal], profile: Profile | None, now_ms: int) -> bool:
    """Say whether nothing was heard for long; a person's own settings do not age."""
    heard_at = [signal.at for signal in signals.values() if signal.source != "user"]
    if profile is not None:
        heard_at.append(profile.at)
    return bool(heard_at) and now_ms - max(heard_at) > AGED_AFTER_MS
