"""Login of the Kafka client by SASL: a name and a password, or a token."""

from dataclasses import dataclass, field
from typing import Any, Literal

from connectors.kafka.token_endpoint import TokenEndpoint

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]


@dataclass(frozen=True, slots=True)
class Login:
    """Mechanism, and its credentials; the text shows no password."""

    mechanism: Mechanism
    username: str = ""
    password: str = field(default="", repr=False)
    tokens: TokenEndpoint | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the options under the names of kafka-python."""
        found: dict[str, Any] = {"sasl_mechanism": self.mechanism}
        if self.tokens is not None:
            from connectors.kafka.token_provider import token_provider

            return found | {"sasl_oauth_token_provider": token_provider(self.tokens)}
        return found | {"sasl_plain_username": self._sent_name, "sasl_plain_password": self.password}

    @property
    def _sent_name(self) -> str:
        """Name in the form of the mechanism: SCRAM escapes two characters (RFC 5802), and kafka-python does not."""
        if not self.mechanism.startswith("SCRAM"):
            return self.username
        return self.username.replace("=", "=3D").replace(",", "=2C")
