"""Decoder of signals and profiles that restricts their members to the catalogue."""

from collections.abc import Mapping

import msgspec

from tacit.contract.activity import aged
from tacit.contract.catalogue import Catalogue
from tacit.contract.signals import Profile, Signal, decode_profile, decode_signal
from tacit.contract.versions import are_versions, is_version

MAX_VALUE_BYTES = 4096
"""Longest field of a signals hash; a worker writes shorter ones."""


class Decoder:
    """Decoder of the fields of a signals hash: all texts of the results are names of the catalogue, or constants."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._facets = [
            (name, name.encode(), frozenset(facet.values), frozenset({*facet.values, None}), facet.default)
            for name, facet in catalogue.facets.items()
        ]
        self._kinds = frozenset(catalogue.feedback)
        self._topics = frozenset(catalogue.topics.values) - frozenset(catalogue.topics.sensitive)
        self._contexts = frozenset(
            [f"topic:{name}" for name in self._topics] + [f"surface:{name}" for name in catalogue.surfaces.values]
        )

    def signals(self, fields: Mapping[bytes, bytes]) -> dict[str, Signal]:
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
            if signal.value not in values or not is_version(signal.v) or not are_versions(signal.by):
                continue
            if (signal.p is None or signal.confidence is None) and not _is_pin(signal):
                continue
            if (
                signal.default not in others
                or signal.runner_up not in others
                or not self._are_kinds(signal.why)
                or (signal.why_not and not self._are_kinds(signal.why_not))
            ):
                signal = self._restricted(signal, others, default)
            for context, value, _, _, runner_up in signal.contexts:
                if context not in self._contexts or value not in values or runner_up not in others:
                    signal = self._in_known_contexts(signal, values, others)
                    break
            found[name] = signal
        return found

    def defaults(self, fields: Mapping[bytes, bytes]) -> dict[str, Signal]:
        """Return the population's signals that are readable and in the catalogue."""
        return {name: signal for name, signal in self.signals(fields).items() if signal.source != "user"}

    def profile(self, raw: bytes | None, now_ms: int) -> Profile | None:
        """Return the profile as of now: zero for windows that have passed, and the catalogue's topics alone."""
        if raw is None or len(raw) > MAX_VALUE_BYTES:
            return None
        try:
            profile = decode_profile(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if not is_version(profile.v):
            return None
        for topic, _ in profile.topics:
            if topic not in self._topics:
                topics = tuple([entry for entry in profile.topics if entry[0] in self._topics])
                profile = msgspec.structs.replace(profile, topics=topics)
                break
        activity = aged(profile.activity, now_ms - profile.at)
        return profile if activity is profile.activity else msgspec.structs.replace(profile, activity=activity)

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
            why_not=tuple([entry for entry in signal.why_not if entry[0] in self._kinds]),
        )

    def _in_known_contexts(self, signal: Signal, values: frozenset[str], others: frozenset[str | None]) -> Signal:
        """Return a signal without contexts of which a member is not in the catalogue."""
        contexts = [
            entry
            for entry in signal.contexts
            if entry.context in self._contexts and entry.value in values and entry.runner_up in others
        ]
        return msgspec.structs.replace(signal, contexts=tuple(contexts))


def _is_pin(signal: Signal) -> bool:
    """Return whether a signal is a pin, as workers wrote pins before gates had pins."""
    return signal.source == "user" and signal.tier == "apply" and signal.p is None and signal.confidence is None
