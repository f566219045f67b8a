"""Adaptation of a user with keys under two secrets, while `tacit state rotate-secret` moves the keys.

A "no" under either secret holds.
"""

from dataclasses import replace

from tacit.contract.gates import Consents, ReadConsent
from tacit.reader.adaptation import Adaptation

_WITHOUT_SIGNALS = ("opted_out", "unavailable")
"""Status that holds if either adaptation has it: the first one before the second."""


def stricter(current: Adaptation, previous: Adaptation) -> Adaptation:
    """Return the adaptation under the current secret, with everything that restricts it under the previous one.

    Without signals under the current secret, those under the previous one count. A pin under the previous secret
    holds for a facet without a pin under the current one. The current secret decides on the holdout.
    """
    consent = Consents(*map(_stricter, current.consent, previous.consent))
    previous = replace(previous, held_out=current.held_out)
    for status in _WITHOUT_SIGNALS:
        if current.status == status:
            return replace(current, consent=consent)
        if previous.status == status:
            return replace(previous, consent=consent)
    if not current.signals and current.profile is None:
        return replace(previous, consent=consent, decided=current.decided | previous.decided)
    pins = {
        facet: signal
        for facet, signal in previous.signals.items()
        if signal.source == "user" and not (facet in current.signals and current.signals[facet].source == "user")
    }
    decided = current.decided | previous.decided
    return replace(current, signals={**current.signals, **pins}, consent=consent, decided=decided)


def _stricter(current: ReadConsent, previous: ReadConsent) -> ReadConsent:
    if "unknown" in (current, previous):
        return "unknown"
    if previous == "denied" or current == "unasked":
        return previous
    return current
