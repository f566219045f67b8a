"""connectors/schema_registry/client: answers, access, TLS, and answers that are none."""

import socket
import ssl
from pathlib import Path

import pytest
import trustme

from connectors.schema_registry.address import RegistryAddress
from connectors.schema_registry.client import (
    MAX_ANSWER_BYTES,
    NotRegisteredError,
    RegistryClient,
    RegistryFailedError,
    RegistryRefusedError,
)
from tests.support.event_schemas import AVRO
from tests.support.ports import free_port
from tests.support.recorded_registry import RecordedRegistry, document

FIRST = "/api/schemas/ids/1"


def client(
    registry: RecordedRegistry, user: str = "", password: str = "", ca_file: Path | None = None
) -> RegistryClient:
    return RegistryClient(RegistryAddress.parse(registry.url, user, password, ca_file))


def test_schema_is_found_by_id() -> None:
    """Below the path of the URL."""
    with RecordedRegistry({1: AVRO}).serving() as registry:
        assert client(registry).schema(1) == document(AVRO)
        assert registry.asked == [FIRST]


def test_name_of_a_subject_is_quoted() -> None:
    """A slash belongs to the name."""
    with RecordedRegistry({}).serving() as registry, pytest.raises(NotRegisteredError):
        client(registry).version("a/b c", 2)
    assert registry.asked == ["/api/subjects/a%2Fb%20c/versions/2"]


def test_password_gives_access() -> None:
    """A wrong or missing one is refused, and not repeated."""
    with RecordedRegistry({1: AVRO}, access="key:hunter2").serving() as registry:
        client(registry, "key", "hunter2").check()
        for user, password in (("key", "hunter3"), ("", "")):
            with pytest.raises(RegistryRefusedError, match=r"refuses the user or the password \(status 401\)") as error:
                client(registry, user, password).check()
            assert "hunter" not in str(error.value)


def test_redirect_is_not_followed() -> None:
    """Another host would get the password."""
    registry = RecordedRegistry({1: AVRO})
    registry.status = 302
    with registry.serving(), pytest.raises(RegistryFailedError, match="status 302"):
        client(registry, "key", "hunter2").schema(1)


def test_certificate_is_verified(tmp_path: Path) -> None:
    """By the authorities of the file, or those of the system, with the name of the host."""
    authority = trustme.CA()
    ca_file = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(ca_file)
    for name, problem in (("127.0.0.1", None), ("other.example", "IP address mismatch")):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(name).configure_cert(context)
        with RecordedRegistry({1: AVRO}).serving(context) as registry:
            if problem is None:
                assert client(registry, ca_file=ca_file).schema(1) == document(AVRO)
                with pytest.raises(RegistryRefusedError, match="certificate is not accepted"):
                    client(registry).schema(1)
            else:
                with pytest.raises(RegistryRefusedError, match=problem):
                    client(registry, ca_file=ca_file).schema(1)


def test_registry_that_is_down_fails() -> None:
    """A later attempt may succeed."""
    address = RegistryAddress.parse(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(RegistryFailedError, match=r"no answer \(ConnectionRefusedError\)"):
        RegistryClient(address).check()


def test_registry_that_is_silent_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """Within the time limit."""
    monkeypatch.setattr("connectors.schema_registry.client.TIMEOUT_S", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = RegistryAddress.parse(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with pytest.raises(RegistryFailedError, match=r"no answer \(TimeoutError\)"):
            RegistryClient(address).check()


@pytest.mark.parametrize("status", [404, 429, 500, 503])
def test_answer_of_another_server_fails(status: int) -> None:
    """A "not found" of a proxy does not mean that a schema is missing."""
    registry = RecordedRegistry({1: AVRO})
    registry.status = status
    with registry.serving(), pytest.raises(RegistryFailedError, match=f"status {status}"):
        client(registry).schema(1)


def test_large_answer_fails() -> None:
    """It is not read to its end."""
    registry = RecordedRegistry({1: AVRO._replace(text="x" * MAX_ANSWER_BYTES)})
    with registry.serving(), pytest.raises(RegistryFailedError, match="no answer of a schema registry"):
        client(registry).schema(1)
