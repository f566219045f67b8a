"""Certificates of a test broker and its clients: valid, expired, of another host, and of an unknown authority."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

KEY_PASSWORD = "key password of the tests"


@dataclass(frozen=True, slots=True)
class Certificates:
    """PEM files: `authority`, and a `….pem` and a `….key` of each certificate."""

    folder: Path

    @property
    def authority(self) -> Path:
        """Certificate of the authority that signed the valid certificates."""
        return self.folder / "authority.pem"

    def certificate(self, name: str) -> Path:
        """Return the file of a certificate: `broker`, `client`, `stranger` and others below."""
        return self.folder / f"{name}.pem"

    def key(self, name: str) -> Path:
        """Return the file of its private key; `encrypted` is the client's under `KEY_PASSWORD`."""
        return self.folder / f"{name}.key"

    def keystore(self, name: str) -> Path:
        """Return the file with key and certificate, which a broker reads."""
        return self.folder / f"{name}.keystore"


def write_certificates(folder: Path) -> Certificates:
    """Write all files into a folder."""
    found = Certificates(folder)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(found.authority))
    now, day = datetime.now(UTC), timedelta(days=1)
    old, new = now - 30 * day, now + 30 * day
    client = "worker.example"
    issued = {
        "broker": authority.issue_cert("localhost", "127.0.0.1"),
        "expired": authority.issue_cert("localhost", "127.0.0.1", not_before=old, not_after=now - day),
        "elsewhere": authority.issue_cert("127.0.0.1"),
        "client": authority.issue_cert(client),
        "expired-client": authority.issue_cert(client, not_before=old, not_after=now - day),
        "future": authority.issue_cert(client, not_before=now + day, not_after=new),
        "stranger": trustme.CA().issue_cert(client),
    }
    for name, certificate in issued.items():
        _write(found, name, certificate)
    key = load_pem_private_key(issued["client"].private_key_pem.bytes(), None)
    encryption = BestAvailableEncryption(KEY_PASSWORD.encode())
    found.key("encrypted").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption))
    return found


def _write(found: Certificates, name: str, certificate: trustme.LeafCert) -> None:
    key = load_pem_private_key(certificate.private_key_pem.bytes(), None)
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())  # the one form that Kafka reads
    chain = b"".join(blob.bytes() for blob in certificate.cert_chain_pems)
    found.certificate(name).write_bytes(chain)
    found.key(name).write_bytes(key_pem)
    found.keystore(name).write_bytes(key_pem + chain)
