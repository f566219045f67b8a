"""Report of proof in Redis: one JSON document per namespace."""

from typing import cast

import redis
import structlog

from connectors.redis.client import RedisClient
from connectors.redis.error_codes import error_code
from state.learning.proof_report import ProofReport, decode_report
from tacit.contract.keys import NamespaceKeys

_log = structlog.get_logger(__name__)


class ProofStore:
    """Report of one namespace. All methods raise SinkError as `RedisClient.deliver`."""

    def __init__(self, client: RedisClient, keys: NamespaceKeys) -> None:
        self._client = client
        self._key = keys.proof

    def publish(self, report: bytes, *, fill: bool = False) -> None:
        """Replace the report; with `fill` (history next to live workers) only write a missing one."""
        command = ("SET", self._key, report, "NX") if fill else ("SET", self._key, report)
        [reply] = self._client.deliver([command], [None])
        if isinstance(reply, redis.RedisError):
            _log.error("proof.publish_rejected", code=error_code(reply), key=self._key)

    def read(self) -> ProofReport | None:
        """Return the report; None without one.

        Raises:
            StateError: the key holds no report.
        """
        held = cast("bytes | None", self._client.execute(("GET", self._key)))
        return None if held is None else decode_report(held)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()
