"""Reader of a namespace's report of proof, for commands: it imports no log."""

from typing import cast

from connectors.redis.client import RedisClient
from state.learning.proof_report import ProofReport, decode_report
from tacit.contract.keys import NamespaceKeys


class ProofReader:
    """Report of one namespace. All methods raise SinkError as `RedisClient.deliver`."""

    def __init__(self, client: RedisClient, keys: NamespaceKeys) -> None:
        self._client = client
        self._key = keys.proof

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
