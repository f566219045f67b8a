"""Target of a run's signals."""

from dataclasses import dataclass
from enum import StrEnum

from connectors.redis.client import RETRY_FOR_S
from tacit.contract.keys import LIVE
from tacit.contract.lifetimes import SIGNAL_TTL_MS, TOMBSTONE_MS

SKEW_MS = 6 * 60_000
"""Allowed lead of a version over Redis' clock: the parser's 5 minutes, and a minute between clocks."""


class Mode(StrEnum):
    """Relation of a run's writes to other writes in the namespace."""

    LIVE = "live"
    REPLAY = "replay"
    """History, into a namespace of its own."""
    FILL = "fill"
    """History, into a namespace with live writers: writes missing fields and fields of older event time only."""


@dataclass(frozen=True, slots=True)
class Target:
    """Server, namespace and limits of writes."""

    url: str
    region: str
    namespace: str = LIVE
    mode: Mode = Mode.LIVE
    ttl_ms: int | None = SIGNAL_TTL_MS
    """Time to live of signals, from the event's time; None: no expiry."""
    tombstone_ms: int = TOMBSTONE_MS
    """Time to live of a gate that has wipes or removed pins, and neither a "no" nor a pin; from their event time."""
    skew_ms: int = SKEW_MS
    retry_for_s: float = RETRY_FOR_S
