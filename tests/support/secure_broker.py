"""Kafka broker with a listener per kind of security, for tests."""

import shutil
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from kafka.admin import UserScramCredentialUpsertion  # type: ignore[import-untyped]

from tests.support.kafka_broker import Broker, missing_broker
from tests.support.kafka_certificates import write_certificates
from tests.support.kafka_jars import BrokerUnavailableError, installed_jars
from tests.support.ports import two_free_ports

USER = "tacit"
ODD_USER = "ta=cit, 2"
"""User with the characters that SCRAM escapes."""
PASSWORD = 'p@ss wörd,"=;\\%/#'
"""Password with every character that a shell, a URL or a properties file treats specially."""

REAUTHENTICATE_MS = 2_000
"""Time after which a client with SCRAM-SHA-256 logs in again on its connection."""

_PROTOCOLS = {
    "TLS": "SSL",
    "MUTUAL": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
    "SASL": "SASL_SSL",
    "CLEAR": "SASL_PLAINTEXT",
}
"""Name of a listener → its protocol."""
_KEYSTORES = {"TLS": "broker", "MUTUAL": "broker", "EXPIRED": "expired", "ELSEWHERE": "elsewhere", "SASL": "broker"}
_SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")
_MECHANISMS = ("PLAIN", *_SCRAM, "OAUTHBEARER")
_MODULES = "org.apache.kafka.common.security"


class SecureBroker(Broker):
    """Broker whose listener without security serves the fixtures; `at` gives the address of another."""

    def __init__(self, folder: Path, jars: Path) -> None:
        self.certificates = write_certificates(folder)
        self._ports = {name: two_free_ports() for name in _PROTOCOLS}
        super().__init__(folder, jars)

    def at(self, listener: str) -> str:
        """Return HOST:PORT of a listener: TLS, MUTUAL (client certificates), EXPIRED, ELSEWHERE, SASL or CLEAR."""
        return f"localhost:{self._ports[listener]}"

    def start(self) -> None:
        """Start the broker, and store the passwords of the user."""
        super().start()
        self.set_password(PASSWORD)
        self.set_password(PASSWORD, ODD_USER)

    def set_password(self, password: str, user: str = USER) -> None:
        """Change the password of a user for SCRAM."""
        with self._admin() as admin:
            for mechanism in _SCRAM:  # Kafka takes one mechanism of a user per request
                admin.alter_user_scram_credentials([UserScramCredentialUpsertion(user, mechanism, password)])

    def _listeners(self) -> Mapping[str, str]:
        return {name: f"localhost:{port}" for name, port in self._ports.items()}

    def _more_properties(self) -> dict[str, str]:
        files = self.certificates
        found = {
            "num.network.threads": "1",  # of each listener
            "listener.security.protocol.map": ",".join(
                f"{name}:{protocol}"
                for name, protocol in {"PLAINTEXT": "PLAINTEXT", "CONTROLLER": "PLAINTEXT", **_PROTOCOLS}.items()
            ),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(files.authority),
            "ssl.keystore.type": "PEM",
            "listener.name.mutual.ssl.client.auth": "required",
            "sasl.enabled.mechanisms": ",".join(_MECHANISMS),
            "listener.name.sasl.scram-sha-256.connections.max.reauth.ms": str(REAUTHENTICATE_MS),
            # A session ends with its token.
            "listener.name.sasl.oauthbearer.connections.max.reauth.ms": "3600000",
        }
        for name, keystore in _KEYSTORES.items():
            found[f"listener.name.{name.lower()}.ssl.keystore.location"] = str(files.keystore(keystore))
        for name in ("sasl", "clear"):
            found |= {f"listener.name.{name}.{key}": value for key, value in _login_modules().items()}
        return found


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _login_modules() -> dict[str, str]:
    plain = f"{_MODULES}.plain.PlainLoginModule required user_{USER}={_quoted(PASSWORD)};"
    scram = f"{_MODULES}.scram.ScramLoginModule required;"
    # The broker trusts tokens without a signature: the tests are about the client.
    token = f'{_MODULES}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";'
    return {
        "plain.sasl.jaas.config": plain,
        "scram-sha-256.sasl.jaas.config": scram,
        "scram-sha-512.sasl.jaas.config": scram,
        "oauthbearer.sasl.jaas.config": token,
    }


@pytest.fixture(scope="session")
def secure_broker() -> Iterator[SecureBroker]:
    """Yield a running broker with all listeners; skip as `kafka` does."""
    folder = Path(tempfile.mkdtemp(prefix="tacit-kafka-"))
    try:
        broker = SecureBroker(folder, installed_jars())
        broker.start()
        yield broker
        broker.kill()
    except BrokerUnavailableError as error:
        missing_broker(error)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
