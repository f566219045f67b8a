"""Signals, profiles and writes with defaults for all members that a test does not name."""

import time

from state.user.writes import SignalWrite
from tacit.contract.activity import Activity
from tacit.contract.signals import Profile, Session, Signal, Source, Tier, encode
from tacit.contract.versions import version

NOW_MS = time.time_ns() // 1_000_000
HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
USER = bytes(range(16))
"""A pseudonym."""


def signal(
    value: str,
    at_ms: int,
    seq: int = 1,
    *,
    source: Source = "learned",
    tier: Tier = "apply",
    default: str | None = "balanced",
    explore: float = 0.0,
) -> Signal:
    """Return a signal; `value` and `default` are those of the length of answers by default."""
    is_pin = source == "user"
    return Signal(
        v=version(at_ms, seq),
        value=value,
        p=None if is_pin else 0.91,
        confidence=None if is_pin else 0.86,
        tier=tier,
        source=source,
        evidence=41.5,
        runner_up=None,
        gap=None,
        default=default,
        explore=explore,
        drift_at=None,
        why=(("thumbs_up", 12),),
        by="m1.c1.p0",
        at=at_ms,
    )


def profile(at_ms: int, seq: int = 1) -> Profile:
    """Return a profile of a user with turns in every window."""
    return Profile(
        v=version(at_ms, seq),
        activity=Activity(1, 2, 3),
        topics=(("code", 1.0),),
        session=Session(at_ms, 1, 0.0),
        hours=(0.0,) * 24,
        at=at_ms,
    )


def write(*fields: tuple[str, Signal | Profile], wiped_ms: int = 0, user: bytes = USER) -> SignalWrite:
    """Return the write of some fields; the newest one gives the event time."""
    return SignalWrite(
        user=user,
        wiped_ms=wiped_ms,
        at_ms=max(content.at for _, content in fields),
        fields=tuple((name, encode(content)) for name, content in fields),
    )
