"""Cause of a difference: the kind of change behind two signals, or two profiles, that are not the same."""

from enum import StrEnum

from connectors.redis.held import Held
from tacit.contract.gates import Gate
from tacit.contract.signals import Profile, Signal


class Cause(StrEnum):
    """Kind of change; of several kinds the first one in this list that holds."""

    CONSENT = "consent"
    """The gate denies the use, or has a wipe that is newer than one of the two."""
    PIN = "pin"
    """The user set the facet: readers of both namespaces get the pin."""
    EXPIRED = "expired"
    """One is missing, and the other one is older than the time to live."""
    MISSING_USER = "missing_user"
    """The user has signals in one namespace only."""
    UNREADABLE = "unreadable"
    """A field is neither a signal nor a profile."""
    CATALOGUE = "catalogue"
    """The versions of model or catalogue differ."""
    EVIDENCE = "evidence"
    """One has seen other events: the newest event time, or the number of events, differs."""
    REBUILT = "rebuilt"
    """No events of other sessions were seen, and a rebuild of one decided by the newest population version alone."""
    GOES = "goes"
    """The same events were seen, and the history of one was read in several goes: the end of each ended a round of the
    population's training early."""
    POPULATION = "population"
    """The population versions differ."""
    UNEXPLAINED = "unexplained"
    """None of these."""


def cause_of_missing_user(there: Held, gate: Gate, expired_ms: int) -> Cause:
    """Return the cause for a user with signals in one namespace only."""
    newest_ms = there.newest_ms
    if there.is_opted_out or gate.use.state == "denied" or gate.wiped_ms >= max(newest_ms, 1):
        return Cause.CONSENT
    return Cause.EXPIRED if newest_ms <= expired_ms else Cause.MISSING_USER


def cause_in_facet(facet: str, one: Held, other: Held, gate: Gate, expired_ms: int) -> Cause:
    """Return the cause of a difference in one facet of a user; one of the signals may be missing.

    Args:
        facet: name of the facet.
        one: signals of the user in the first namespace.
        other: signals in the second namespace.
        gate: gate of the user.
        expired_ms: event time up to which signals have expired; 0: none.
    """
    found = [each.signals[facet] for each in (one, other) if facet in each.signals]
    if one.wiped != other.wiped or any(signal.v <= gate.wiped.get(facet, "") for signal in found):
        return Cause.CONSENT
    pin = gate.pins.get(facet)
    if pin is not None and pin.value is not None:
        return Cause.PIN
    if len(found) == 1 and found[0].at <= expired_ms:
        return Cause.EXPIRED
    if any(facet.encode() in each.raw and facet not in each.signals for each in (one, other)):
        return Cause.UNREADABLE
    return _cause_between(one.signals.get(facet) or one.newest, other.signals.get(facet) or other.newest, one, other)


def cause_in_profile(one: Held, other: Held, expired_ms: int) -> Cause:
    """Return the cause of a difference of two profiles, of which one may be missing."""
    if one.wiped != other.wiped:
        return Cause.CONSENT
    found = [each.profile for each in (one, other) if each.profile is not None]
    if len(found) == 1 and found[0].at <= expired_ms:
        return Cause.EXPIRED
    if one.unreadable or other.unreadable:
        return Cause.UNREADABLE
    cause = _cause_between(one.newest, other.newest, one, other)
    return Cause.UNEXPLAINED if cause is Cause.POPULATION else cause  # no profile depends on the population


def cause_with_rebuild(cause: Cause, rebuilt: Held, other: Held, *, learn: bool) -> Cause:
    """Return the cause in a facet, or in a profile, if a rebuild has written one namespace.

    A rebuild gives everything the version of the user's last event, so versions do not show the events. A profile has
    the begin of the last session: one after all events of the other namespace shows that the rebuild has seen more.

    Args:
        cause: cause of `cause_in_facet` or `cause_in_profile`.
        rebuilt: signals of the user in the rebuilt namespace.
        other: signals in the other namespace.
        learn: True for two replays with a population model each.
    """
    if cause is Cause.EVIDENCE:
        return Cause.REBUILT if _may_have_seen_the_same(rebuilt, other) else cause
    is_of_rebuild = cause is Cause.UNEXPLAINED or (cause is Cause.POPULATION and learn)
    return Cause.REBUILT if is_of_rebuild else cause


def cause_with_goes(cause: Cause, one: Held, other: Held, *, are_replays: bool, learn: bool) -> Cause:
    """Return the cause in a facet if the history of one namespace was read in several goes.

    Args:
        cause: cause of `cause_in_facet`.
        one: signals of the user in the first namespace.
        other: signals in the second namespace.
        are_replays: False if a live run has written one of the two, which has versions of its own in any case.
        learn: True if both have a population model.
    """
    if cause is Cause.UNEXPLAINED:
        return Cause.GOES
    if not are_replays:
        return cause
    if cause is Cause.EVIDENCE and one.profile and _seen(one.profile) == _seen(other.profile):
        return Cause.GOES  # the same events, of which another one moved the signal
    return Cause.GOES if cause is Cause.POPULATION and learn else cause


def _cause_between(first: Signal | None, second: Signal | None, one: Held, other: Held) -> Cause:
    """Return the cause from versions, with the newest signal of a side that lacks its own.

    Profiles show the events that were seen: a profile is written by time alone, and a signal when it changes.
    """
    if first and second and _part(first, "m", "c") != _part(second, "m", "c"):
        return Cause.CATALOGUE
    if _seen(one.profile) != _seen(other.profile):
        return Cause.EVIDENCE
    if first and second and _part(first, "p") != _part(second, "p"):
        return Cause.POPULATION
    if first is None or second is None or first.v != second.v:
        return Cause.EVIDENCE
    return Cause.UNEXPLAINED


def _part(signal: Signal, *letters: str) -> list[str]:
    """Return parts of `by`, such as `m2.c3.p12`, by their first letters."""
    return [part for part in signal.by.split(".") if part[:1] in letters]


def _seen(profile: Profile | None) -> str:
    return profile.v if profile else ""


def _may_have_seen_the_same(rebuilt: Held, other: Held) -> bool:
    if rebuilt.profile is None or other.profile is None:
        return False
    return rebuilt.profile.session.started_at <= other.newest_ms <= rebuilt.newest_ms
