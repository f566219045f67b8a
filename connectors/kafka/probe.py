"""Probe of a broker's listener: one connection, step by step, that names the reason of a refusal.

kafka-python 3.0.12 retries a failed TLS handshake and a failed login until its time limit, and then raises an error
without the reason.
"""

import socket
import ssl
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from kafka.errors import KafkaError  # type: ignore[import-untyped]
from kafka.net.sasl import get_sasl_mechanism  # type: ignore[import-untyped]
from kafka.protocol.metadata import ApiVersionsRequest  # type: ignore[import-untyped]
from kafka.protocol.parser import KafkaProtocol  # type: ignore[import-untyped]
from kafka.protocol.sasl import SaslAuthenticateRequest, SaslHandshakeRequest  # type: ignore[import-untyped]

from connectors.kafka.client_options import ClientOptions
from connectors.kafka.tls import EXPIRED, NOT_YET_VALID, TlsContext
from state.errors import AccessError
from tacit.errors import TacitError

TIMEOUT_S = 5.0

_NO_LOGIN, _NOT_OFFERED = 34, 33
"""Codes of Kafka: ILLEGAL_SASL_STATE and UNSUPPORTED_SASL_MECHANISM."""
_WRONG_HOST, _WRONG_ADDRESS = 62, 64
"""Codes of OpenSSL. https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/"""
_UNKNOWN_AUTHORITY = {2, 18, 19, 20, 21, 24}


class _NoAnswerError(Exception):
    """The broker closed the connection, or did not answer in time."""


def refusal(host: str, port: int, client: ClientOptions) -> TacitError | None:
    """Return the reason for which a broker and this client do not work together; None if the probe finds none.

    A broker that is down or does not answer is no refusal.
    """
    place = f"{host}:{port}"
    try:
        sock = _opened(host, port)
    except OSError:
        return None
    try:
        with _connected(sock, host, client) as connection:
            _greet(connection)
            _log_in(connection, client, place, host)
    except TacitError as error:
        return error
    except ssl.SSLError as error:
        return _tls_refusal(error, place, host, port, client)
    except (_NoAnswerError, OSError, KafkaError, struct.error):
        return _protocol_refusal(place, host, port, client)
    return None


class _Connection:
    """Blocking connection that sends a request and receives its response."""

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self._protocol = KafkaProtocol(client_id="tacit", receive_message_max_bytes=1 << 20)

    def ask(self, request: Any) -> Any:
        self._protocol.send_request(request)
        self._sock.sendall(self._protocol.send_bytes())
        while True:
            received = self._sock.recv(65_536)
            if not received:
                raise _NoAnswerError
            for _, response in self._protocol.receive_bytes(received):
                return response


def _opened(host: str, port: int) -> socket.socket:
    return socket.create_connection((host, port), timeout=TIMEOUT_S)


@contextmanager
def _connected(sock: socket.socket, host: str, client: ClientOptions) -> Iterator[_Connection]:
    try:
        if client.uses_tls:
            context = TlsContext(client.tls)
            sock = context.wrap_socket(sock, server_hostname=host.rstrip("."), do_handshake_on_connect=True)
        yield _Connection(sock)
    finally:
        sock.close()


def _greet(connection: _Connection) -> None:
    connection.ask(ApiVersionsRequest(version=0))


def _log_in(connection: _Connection, client: ClientOptions, place: str, host: str) -> None:
    """Log in, or find out that the listener requires a login."""
    mechanism = client.login.mechanism if client.login and client.uses_sasl else "PLAIN"
    answer = connection.ask(SaslHandshakeRequest(mechanism=mechanism, version=1))
    offered = ", ".join(answer.mechanisms)
    if not client.uses_sasl or client.login is None:
        if answer.error_code == _NO_LOGIN:
            return
        needed = "SASL_SSL" if client.uses_tls else "SASL_PLAINTEXT"
        raise AccessError(
            f"{place}: the listener requires a login; set kafka.security_protocol to {needed}, "
            f"kafka.sasl_mechanism to one of {offered}, and its credentials"
        )
    if answer.error_code == _NO_LOGIN:
        other = "SSL" if client.uses_tls else "PLAINTEXT"
        raise AccessError(
            f"{place}: the listener takes no login; set kafka.security_protocol to {other}, "
            "or use the port of a listener with SASL"
        )
    if answer.error_code == _NOT_OFFERED:
        raise AccessError(
            f"{place}: the broker does not offer the mechanism {mechanism}; set kafka.sasl_mechanism to {offered}"
        )
    _authenticate(connection, client, place, host)


def _authenticate(connection: _Connection, client: ClientOptions, place: str, host: str) -> None:
    if client.login is None:
        return
    options = client.login.as_dict()
    mechanism = get_sasl_mechanism(client.login.mechanism)(host=host, **options)
    while not mechanism.is_done():
        answer = connection.ask(SaslAuthenticateRequest(mechanism.auth_bytes(), version=0))
        if answer.error_code:
            raise _login_refused(client, place)
        try:
            mechanism.receive(answer.auth_bytes)
        except (ValueError, KeyError):
            raise AccessError(
                f"{place}: the broker does not prove that it has the password; check the address"
            ) from None
    if not mechanism.is_authenticated():
        raise _login_refused(client, place)


def _login_refused(client: ClientOptions, place: str) -> AccessError:
    login = client.login
    if login is not None and login.tokens is not None:
        return AccessError(
            f"{place}: the broker refuses the token of {login.tokens.host}; correct kafka.token_scope and "
            "kafka.token_extensions, and check the rights of the client"
        )
    mechanism = login.mechanism if login is not None else "SASL"
    return AccessError(
        f"{place}: the broker refuses the login by {mechanism}; correct kafka.username and kafka.password, "
        "or create the user on the broker"
    )


def _tls_refusal(error: ssl.SSLError, place: str, host: str, port: int, client: ClientOptions) -> TacitError | None:
    if isinstance(error, ssl.SSLCertVerificationError):
        return AccessError(f"{place}: {_certificate_refusal(error, host)}")
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError) or error.reason == "WRONG_VERSION_NUMBER":
        return _protocol_refusal(place, host, port, client)
    if ("ALERT" in (error.reason or "") and "CERT" in (error.reason or "")) or error.reason == "TLSV1_ALERT_UNKNOWN_CA":
        return AccessError(_client_certificate_refusal(place, client))
    reason = (error.reason or "unknown").lower().replace("_", " ")
    return AccessError(f"{place}: TLS is refused ({reason}); check the versions and ciphers that the broker allows")


def _certificate_refusal(error: ssl.SSLCertVerificationError, host: str) -> str:
    code = error.verify_code
    if code == EXPIRED:
        return "the certificate of the broker has expired; renew it on the broker"
    if code == NOT_YET_VALID:
        return "the certificate of the broker is not valid yet; check it, and the clock of this machine"
    if code in {_WRONG_HOST, _WRONG_ADDRESS}:
        return f"the certificate of the broker is not for {host}; use a host name of the certificate, or renew it"
    if code in _UNKNOWN_AUTHORITY:
        return (
            "the certificate of the broker is from an authority that is not trusted; "
            "name the certificate of the authority in kafka.ca_file"
        )
    return f"the certificate of the broker is not trusted ({error.verify_message}); renew it on the broker"


def _client_certificate_refusal(place: str, client: ClientOptions) -> str:
    if client.tls.certificate is None:
        return (
            f"{place}: the broker requires a certificate of the client; set kafka.certificate_file and kafka.key_file"
        )
    if problem := client.tls.certificate_problem():
        return f"kafka.certificate_file: {problem}"
    return (
        f"{place}: the broker refuses the certificate in {client.tls.certificate}; "
        "use one of an authority that the broker trusts"
    )


def _protocol_refusal(place: str, host: str, port: int, client: ClientOptions) -> AccessError | None:
    """Return the refusal of a listener that has TLS where this client has none, or the reverse."""
    if client.uses_tls and _speaks_kafka(host, port):
        other = "SASL_PLAINTEXT" if client.uses_sasl else "PLAINTEXT"
        return AccessError(
            f"{place}: the listener has no TLS; use the port of a listener with TLS, "
            f"or set kafka.security_protocol to {other}"
        )
    if not client.uses_tls and _speaks_tls(host, port):
        other = "SASL_SSL" if client.uses_sasl else "SSL, or to SASL_SSL with a login"
        return AccessError(f"{place}: the listener requires TLS; set kafka.security_protocol to {other}")
    return None


def _speaks_kafka(host: str, port: int) -> bool:
    try:
        with _connected(_opened(host, port), host, ClientOptions()) as connection:
            _greet(connection)
    except (_NoAnswerError, OSError, KafkaError, struct.error):
        return False
    return True


def _speaks_tls(host: str, port: int) -> bool:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # only asks for the protocol, and sends nothing
    try:
        with _opened(host, port) as sock, context.wrap_socket(sock):
            return True
    except (OSError, ValueError):
        return False
