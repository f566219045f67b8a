"""Checks of how long deleted data lives in topics and in Redis' files."""

from collections.abc import Callable, Iterator

from connectors.kafka.address import TopicAddress
from connectors.kafka.retention import topic_retention
from connectors.redis.history import redis_history
from dataflows.settings import Settings
from tacit.contract.lifetimes import DAY_MS
from tacit_cli.finding import Finding, find

_HOUR_MS = 3_600_000


def check_history(settings: Settings, source: str | None, findings: list[Finding]) -> Iterator[Finding]:
    """Yield a finding per topic and one for Redis, where the earlier checks found no problem."""
    healthy = {finding.what for finding in findings if finding.ok}
    if "redis" in healthy:
        yield find("redis history", lambda: _redis(settings.redis))
    places = {
        "source": source or "", "rejects": settings.rejects, "control rejects": settings.control_rejects_to,
        "receipts": settings.receipts or "", "audit": settings.audit or "",
    }  # fmt: skip
    for what, place in places.items():
        if place.startswith("kafka:") and (what in healthy or what in {"receipts", "audit"}):
            yield find(f"{what} retention", _topic(settings.topic(place)))


def _redis(url: str) -> tuple[str, bool]:
    found = redis_history(url)
    return "; ".join(history.detail for history in found), any(history.is_unlimited for history in found)


def _topic(address: TopicAddress) -> Callable[[], tuple[str, bool]]:
    def look() -> tuple[str, bool]:
        found = topic_retention(address)
        if found.age_ms is None:
            return f"{address} keeps records without a limit, as retention.ms is -1: set it to a time", True
        if found.compacted:
            return f"{address} keeps the last record of each key without a limit: set cleanup.policy to delete", True
        return f"{address} keeps records for {_span(found.age_ms)}, and up to {_span(found.segment_ms)} longer", False

    return look


def _span(time_ms: int) -> str:
    return f"{time_ms / DAY_MS:g} days" if time_ms >= DAY_MS else f"{time_ms / _HOUR_MS:g} h"
