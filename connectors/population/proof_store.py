"""Report of proof in Redis: one JSON document per namespace."""

import redis
import structlog

from connectors.redis.client import RedisClient
from connectors.redis.error_codes import error_code
from state.errors import StateError
from state.learning.proof_report import ProofReport, decode_report
from tacit.contract.keys import NamespaceKeys

_log = structlog.get_logger(__name__)


class ProofStore:
    """Writer of one namespace's report. All methods raise SinkError as `RedisClient.deliver`."""

    def __init__(self, client: RedisClient, keys: NamespaceKeys) -> None:
        self._client = client
        self._key = keys.proof

    def publish(self, report: bytes, *, fill: bool = False) -> None:
        """Replace the report; with `fill` (history next to live workers) none of newer event time or more answers."""
        if fill and self._has_seen_more(decode_report(report)):
            _log.info("proof.publish_skipped", reason="newer event time, or more answers", key=self._key)
            return
        [reply] = self._client.deliver([("SET", self._key, report)], [None])
        if isinstance(reply, redis.RedisError):
            _log.error("proof.publish_rejected", code=error_code(reply), key=self._key)

    def _has_seen_more(self, report: ProofReport) -> bool:
        """Return whether the stored report is about more than a report; an unreadable one is about nothing."""
        [held] = self._client.deliver([("GET", self._key)], [None])
        if not isinstance(held, bytes):
            return False
        try:
            stored = decode_report(held)
        except StateError:
            return False
        return (stored.at, stored.answers) > (report.at, report.answers)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
