"""Files of TLS: each wrong one is one sentence with the setting, and no password is in it."""

from pathlib import Path

import pytest

from connectors.kafka.tls import TlsFiles, trusting_context
from tacit.errors import ConfigurationError
from tests.support.kafka_certificates import KEY_PASSWORD, Certificates, write_certificates


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return write_certificates(tmp_path_factory.mktemp("certificates"))


def test_valid_files_make_a_context(files: Certificates) -> None:
    """The key may be in the file of the certificate, and may have a password."""
    client = files.certificate("client")
    TlsFiles().require()
    TlsFiles(files.authority).require()
    TlsFiles(files.authority, client, files.key("client")).require()
    TlsFiles(files.authority, files.keystore("client")).require()
    TlsFiles(files.authority, client, files.key("encrypted"), KEY_PASSWORD).require()


def test_context_verifies_certificate_and_host(files: Certificates) -> None:
    """There is no setting that turns it off."""
    context = TlsFiles(files.authority).context()
    assert context.check_hostname
    assert context.verify_mode.name == "CERT_REQUIRED"
    assert [each["subject"] for each in context.get_ca_certs()]
    assert trusting_context("kafka.ca_file", files.authority).cert_store_stats()["x509_ca"] == 1


@pytest.mark.parametrize(
    ("certificate", "key", "password", "expected"),
    [
        ("client.pem", "stranger.key", "", "kafka.key_file: the key in .* is not that of the certificate in"),
        ("client.pem", "encrypted.key", "hidden", "kafka.key_password: does not open .*; correct kafka.key_password"),
        ("client.pem", "encrypted.key", "", "kafka.key_password: does not open .*; set kafka.key_password"),
        ("client.pem", "missing.key", "", "kafka.key_file: .*missing.key cannot be read: No such file"),
        ("missing.pem", "client.key", "", "kafka.certificate_file: .*missing.pem cannot be read"),
        ("client.key", "client.key", "", "kafka.certificate_file: .* holds no certificate in PEM"),
        ("client.pem", None, "", "kafka.key_file: .*client.pem holds no private key in PEM"),
        ("empty", "client.key", "", "kafka.certificate_file: .*empty is empty"),
        ("client.pem", "empty", "", "kafka.key_file: .*empty is empty"),
        ("damaged.pem", "client.key", "", "kafka.key_file: .* are no valid key and certificate"),
        ("expired-client.pem", "expired-client.key", "", "kafka.certificate_file: the certificate in .* has expired"),
        ("future.pem", "future.key", "", "kafka.certificate_file: the certificate in .* is not valid yet"),
    ],
)
def test_wrong_certificate_is_a_problem(
    files: Certificates, certificate: str, key: str | None, password: str, expected: str
) -> None:
    """Before the first connection."""
    folder = files.folder
    (folder / "empty").write_bytes(b"")
    (folder / "damaged.pem").write_bytes(
        files.certificate("client").read_bytes()[:200] + b"\n-----END CERTIFICATE-----"
    )
    tls = TlsFiles(files.authority, folder / certificate, folder / key if key else None, password)
    with pytest.raises(ConfigurationError, match=expected) as caught:
        tls.require()
    [problem] = caught.value.problems
    assert "hidden" not in problem + repr(tls)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read: No such file"),
        (b"", "is empty"),
        (b"-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\n", "holds no certificate of an authority in PEM"),
        (b"\x30\x82binary", "holds no certificate of an authority in PEM"),
    ],
)
def test_wrong_authorities_are_a_problem(tmp_path: Path, content: bytes | None, expected: str) -> None:
    """A client that trusts no authority would fail at every broker."""
    path = tmp_path / "ca.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"kafka.ca_file: {path} {expected}"):
        TlsFiles(path).require()


def test_unreadable_folder_is_a_problem(tmp_path: Path) -> None:
    """An orchestrator mounts a folder where the file is missing."""
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        TlsFiles(tmp_path).require()
