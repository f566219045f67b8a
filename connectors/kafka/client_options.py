"""Options of the Kafka client for a whole cluster, the same for each topic: security, time limits, identity."""

from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

from connectors.kafka.login import Login
from connectors.kafka.tls import TlsContext, TlsFiles

CONNECT_MS = 10_000
"""Time limit for the first answer of a broker."""

REQUEST_MS = 10_000
"""Time limit for one request; the client then repeats the request."""

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """Options of every consumer, producer and admin client of one cluster; its text shows no secret."""

    protocol: Protocol = "PLAINTEXT"
    tls: TlsFiles = field(default_factory=TlsFiles)
    login: Login | None = None
    client_id: str = "tacit"
    rack: str = ""
    request_ms: int = REQUEST_MS
    idle_ms: int = 540_000
    """Time after which the client closes a connection without requests."""
    partition_fetch_bytes: int = 512 * 1024
    """Most bytes of one partition in a fetch; a larger record comes alone."""

    @property
    def uses_tls(self) -> bool:
        """True if connections are encrypted."""
        return self.protocol in {"SSL", "SASL_SSL"}

    @property
    def uses_sasl(self) -> bool:
        """True if the client logs in."""
        return self.protocol in {"SASL_PLAINTEXT", "SASL_SSL"}

    def as_dict(self) -> dict[str, Any]:
        """Return the options under the names of kafka-python.

        Raises:
            ConfigurationError: a file of TLS is missing, unreadable or wrong, or the client's certificate has expired.
        """
        from connectors.kafka.access import net_client  # needs kafka-python, which files and Redis do not

        found: dict[str, Any] = {
            "kafka_client": partial(net_client, self),
            "security_protocol": self.protocol,
            "client_id": self.client_id,
            "bootstrap_timeout_ms": CONNECT_MS,
            "request_timeout_ms": self.request_ms,
            "connections_max_idle_ms": self.idle_ms,
            # With the default of 30 s a client stays away long after its broker is back.
            "reconnect_backoff_max_ms": 1_000,
        }
        if self.uses_tls:
            self.tls.require()
            found["ssl_context"] = TlsContext(self.tls)
        if self.login is not None:
            found |= self.login.as_dict()
        return found

    def fetch_options(self) -> dict[str, Any]:
        """Return the limits of a fetch."""
        most = self.partition_fetch_bytes
        return {"max_partition_fetch_bytes": most, "fetch_max_bytes": 4 * most}


DEFAULT_CLIENT = ClientOptions()
"""Options of a cluster without security."""
