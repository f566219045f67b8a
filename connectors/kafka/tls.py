"""TLS of the Kafka client: files in PEM, their checks, and a context that reads them for each connection."""

import socket
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from tacit.errors import ConfigurationError

EXPIRED, NOT_YET_VALID = 10, 9
"""Codes of OpenSSL. https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/"""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """Trusted authorities, and the certificate of the client with its key."""

    authorities: Path | None = None
    """None: the authorities of the system."""
    certificate: Path | None = None
    """Certificate, and the intermediate ones behind it; None: the client shows none."""
    key: Path | None = None
    """None: the key is in the file of the certificate."""
    key_password: str = field(default="", repr=False)

    def require(self) -> None:
        """Check the files, and the time of the client's certificate.

        Raises:
            ConfigurationError: a file is missing, unreadable or wrong, or the certificate is not valid now.
        """
        self.context()
        if problem := self.certificate_problem():
            raise ConfigurationError([f"kafka.certificate_file: {problem}"])

    def context(self) -> ssl.SSLContext:
        """Return a new context, which requires a trusted certificate of the right host.

        Raises:
            ConfigurationError: a file is missing, unreadable or wrong.
        """
        context = self._trusting_context()
        if self.certificate is not None:
            _require_readable("kafka.certificate_file", self.certificate)
            _require_readable("kafka.key_file", self.key or self.certificate)
            self._load_certificate(context)
        return context

    def certificate_problem(self) -> str | None:
        """Return the problem of a client's certificate that is not valid at this time; None without one."""
        if self.certificate is None:
            return None
        code = _verify_code(self)
        if code == EXPIRED:
            return f"the certificate in {self.certificate} has expired; renew it"
        if code == NOT_YET_VALID:
            return f"the certificate in {self.certificate} is not valid yet; check it, and the clock of this machine"
        return None

    def _trusting_context(self) -> ssl.SSLContext:
        if self.authorities is None:
            return ssl.create_default_context()
        return trusting_context("kafka.ca_file", self.authorities)

    def _load_certificate(self, context: ssl.SSLContext) -> None:
        certificate, key = self.certificate, self.key or self.certificate
        if certificate is None or key is None:
            return
        if not _has_block(certificate, b"CERTIFICATE"):
            raise ConfigurationError([f"kafka.certificate_file: {certificate} holds no certificate in PEM; convert it"])
        if not _has_block(key, b"PRIVATE KEY"):
            raise ConfigurationError(
                [f"kafka.key_file: {key} holds no private key in PEM; convert it, or name another"]
            )
        try:
            # Without a password OpenSSL would ask for one on the terminal.
            context.load_cert_chain(certificate, key, password=lambda: self.key_password)
        except (ssl.SSLError, ValueError) as error:
            raise ConfigurationError([self._key_problem(error, certificate, key)]) from None

    def _key_problem(self, error: Exception, certificate: Path, key: Path) -> str:
        if getattr(error, "reason", None) == "KEY_VALUES_MISMATCH":
            return f"kafka.key_file: the key in {key} is not that of the certificate in {certificate}; name its key"
        if _has_block(key, b"ENCRYPTED") or b"Proc-Type" in key.read_bytes():
            advice = "correct kafka.key_password" if self.key_password else "set kafka.key_password"
            return f"kafka.key_password: does not open the key in {key}; {advice}"
        return f"kafka.key_file: {key} and {certificate} are no valid key and certificate in PEM; create them again"


class TlsContext:
    """Stand-in for an `SSLContext` that reads its files for each connection: a renewed certificate needs no restart."""

    def __init__(self, files: TlsFiles) -> None:
        self._files = files

    def wrap_socket(
        self, sock: socket.socket, *, server_hostname: str | None, do_handshake_on_connect: bool
    ) -> ssl.SSLSocket:
        """Return the socket with TLS; errors as `TlsFiles.context`."""
        context = self._files.context()
        return context.wrap_socket(
            sock, server_hostname=server_hostname, do_handshake_on_connect=do_handshake_on_connect
        )


def trusting_context(name: str, authorities: Path) -> ssl.SSLContext:
    """Return a context that trusts the authorities in a file only.

    Args:
        name: setting of the file, for errors.
        authorities: certificates in PEM.

    Raises:
        ConfigurationError: the file is missing, unreadable or wrong.
    """
    _require_readable(name, authorities)
    try:
        return ssl.create_default_context(cafile=authorities)
    except (ssl.SSLError, ValueError):
        problem = f"{name}: {authorities} holds no certificate of an authority in PEM; name a file with it"
        raise ConfigurationError([problem]) from None


def _require_readable(name: str, path: Path) -> None:
    try:
        with path.open("rb") as file:
            content = file.read(1)
    except OSError as error:
        problem = f"{name}: {path} cannot be read: {error.strerror}; correct the path or the rights"
        raise ConfigurationError([problem]) from None
    if not content:
        raise ConfigurationError([f"{name}: {path} is empty; write it again, or name another file"])


def _has_block(path: Path, kind: bytes) -> bool:
    content = path.read_bytes()
    return any(line.startswith(b"-----BEGIN ") and kind in line for line in content.splitlines())


def _verify_code(files: TlsFiles) -> int:
    """Return OpenSSL's code for the client's certificate, trusted as it is; 0: valid.

    The standard library shows no dates of a certificate: so the client presents it to a server in memory.
    """
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    files._load_certificate(server)
    files._load_certificate(client)
    server.verify_mode = ssl.CERT_REQUIRED
    server.verify_flags |= ssl.VerifyFlags.VERIFY_X509_PARTIAL_CHAIN
    server.load_verify_locations(files.certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(to_client, to_server), server.wrap_bio(to_server, to_client, server_side=True)]
    try:
        _shake_hands(ends)
    except ssl.SSLCertVerificationError as error:
        return error.verify_code
    except ssl.SSLError:
        return 0
    return 0


def _shake_hands(ends: list[ssl.SSLObject]) -> None:
    for _ in range(10):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
