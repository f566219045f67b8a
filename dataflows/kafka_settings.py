"""Settings of the Kafka client: the table `[kafka]` of the file, or variables `TACIT_KAFKA_…`."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from connectors.kafka.client_options import ClientOptions, Protocol
from connectors.kafka.login import Login, Mechanism
from connectors.kafka.tls import TlsFiles
from connectors.kafka.token_endpoint import TokenEndpoint
from dataflows.setting import Setting

KAFKA = "Kafka"
TABLE = "kafka"

_TEXT = re.compile(r"[A-Za-z0-9._-]+")
_EXTENSION = re.compile(r"([A-Za-z]+)=([\x20-\x7e]+)")
"""Name and value of a SASL extension (RFC 7628, section 3.1)."""


def _setting(metavar: str, text: str, default: str = "", **more: object) -> Setting:
    return Setting(KAFKA, metavar, text, default, is_flag=False, table=TABLE, **more)  # type: ignore[arg-type]  # by name


def _name_problem(text: str) -> str | None:
    return None if _TEXT.fullmatch(text) else "must have letters, digits, dots, underscores and hyphens only"


def _url_problem(text: str) -> str | None:
    try:
        parts = urlsplit(text)
        is_valid = parts.scheme == "https" and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_valid = False
    if not is_valid or not text.isprintable() or " " in text:
        return "must be https://HOST/PATH"
    if "@" in parts.netloc:
        return "must have no user or password; use kafka.token_client_id and kafka.token_client_secret"
    return None


def _extensions_problem(texts: tuple[str, ...]) -> str | None:
    is_valid = all(_EXTENSION.fullmatch(text) and not text.startswith("auth=") for text in texts)
    return None if is_valid else "must be NAME=VALUE, several between commas"


def _credential_problem(text: str) -> str | None:
    return "must have no NUL character" if "\0" in text else None


@dataclass(frozen=True, kw_only=True)
class KafkaSettings:
    """Options of the client for all topics of a run or a command: source, rejects, receipts and audit."""

    kafka_security_protocol: Annotated[
        Protocol,
        _setting("PROTOCOL", "Security of the listener: SSL encrypts, SASL logs in."),
    ] = "PLAINTEXT"
    kafka_ca_file: Annotated[
        Path | None,
        _setting("FILE", "Certificates (PEM) of the authorities that sign the brokers' certificates.", "the system's"),
    ] = None
    kafka_certificate_file: Annotated[
        Path | None, _setting("FILE", "Certificate (PEM) of the client, with the intermediate ones behind it.", "none")
    ] = None
    kafka_key_file: Annotated[
        Path | None,
        _setting("FILE", "Private key (PEM) of the client's certificate.", "in the file of the certificate"),
    ] = None
    kafka_key_password: Annotated[str, _setting("TEXT", "Password of the private key.", "none", is_secret=True)] = (
        field(default="", repr=False)
    )
    kafka_sasl_mechanism: Annotated[
        Mechanism | None,
        _setting("MECHANISM", "Kind of login.", "required with SASL"),
    ] = None
    kafka_username: Annotated[str, _setting("TEXT", "User of PLAIN and SCRAM.", "none", check=_credential_problem)] = ""
    kafka_password: Annotated[
        str, _setting("TEXT", "Password of PLAIN and SCRAM.", "none", is_secret=True, check=_credential_problem)
    ] = field(default="", repr=False)
    kafka_token_url: Annotated[
        str, _setting("URL", "Token endpoint of OAUTHBEARER, https:// only.", "none", check=_url_problem)
    ] = ""
    kafka_token_client_id: Annotated[str, _setting("TEXT", "Id of the client at the token endpoint.", "none")] = ""
    kafka_token_client_secret: Annotated[
        str, _setting("TEXT", "Secret of the client at the token endpoint.", "none", is_secret=True)
    ] = field(default="", repr=False)
    kafka_token_scope: Annotated[str, _setting("TEXT", "Scope of the token.", "none")] = ""
    kafka_token_extensions: Annotated[
        tuple[str, ...],
        _setting(
            "NAME=VALUE",
            "SASL extensions that go with the token, such as logicalCluster; several between commas.",
            "none",
            check=_extensions_problem,
            is_list=True,
        ),
    ] = ()
    kafka_token_ca_file: Annotated[
        Path | None,
        _setting("FILE", "Certificates (PEM) of the authorities of the token endpoint.", "the system's"),
    ] = None
    kafka_client_id: Annotated[
        str, _setting("NAME", "Name of the client in logs, metrics and quotas of the brokers.", check=_name_problem)
    ] = "tacit"
    kafka_client_rack: Annotated[
        str,
        _setting("NAME", "Rack or availability zone: reads come from a replica there.", "none", check=_name_problem),
    ] = ""
    kafka_request_timeout: Annotated[
        float, _setting("SECONDS", "Time limit for one request, which the client then repeats.", least=1, most=100)
    ] = 10
    kafka_connections_max_idle: Annotated[
        float,
        _setting("SECONDS", "Time without requests after which a connection is closed.", least=10, most=86_400),
    ] = 540
    kafka_partition_fetch_bytes: Annotated[
        int,
        _setting(
            "BYTES", "Most bytes of a partition in a fetch; a larger record comes alone.", least=1024, most=1 << 28
        ),
    ] = 512 * 1024

    @property
    def kafka(self) -> ClientOptions:
        """Options of the Kafka client, for each topic of the run or command."""
        return ClientOptions(
            protocol=self.kafka_security_protocol,
            tls=TlsFiles(self.kafka_ca_file, self.kafka_certificate_file, self.kafka_key_file, self.kafka_key_password),
            login=self._login,
            client_id=self.kafka_client_id,
            rack=self.kafka_client_rack,
            request_ms=round(self.kafka_request_timeout * 1000),
            idle_ms=round(self.kafka_connections_max_idle * 1000),
            partition_fetch_bytes=self.kafka_partition_fetch_bytes,
        )

    @property
    def _login(self) -> Login | None:
        if self.kafka_sasl_mechanism is None:
            return None
        if self.kafka_sasl_mechanism != "OAUTHBEARER":
            return Login(self.kafka_sasl_mechanism, self.kafka_username, self.kafka_password)
        extensions = (text.partition("=") for text in self.kafka_token_extensions)
        endpoint = TokenEndpoint(
            self.kafka_token_url,
            self.kafka_token_client_id,
            self.kafka_token_client_secret,
            self.kafka_token_scope,
            tuple((name, value) for name, _, value in extensions),
            self.kafka_token_ca_file,
        )
        return Login("OAUTHBEARER", tokens=endpoint)


_OF_TLS = ("kafka_ca_file", "kafka_certificate_file", "kafka_key_file", "kafka_key_password")
_OF_PASSWORDS = ("kafka_username", "kafka_password")
_OF_TOKENS = ("kafka_token_url", "kafka_token_client_id", "kafka_token_client_secret")
_MORE_OF_TOKENS = ("kafka_token_scope", "kafka_token_extensions", "kafka_token_ca_file")


def kafka_problems(settings: KafkaSettings) -> Iterator[str]:
    """Yield a problem per setting that is missing, or that has no effect: a typing error must not turn off security."""
    protocol, mechanism = settings.kafka_security_protocol, settings.kafka_sasl_mechanism
    if not protocol.endswith("SSL"):
        yield from _without_effect(settings, _OF_TLS, "security_protocol SSL or SASL_SSL")
    elif settings.kafka_certificate_file is None:
        yield from _without_effect(settings, ("kafka_key_file", "kafka_key_password"), "certificate_file")
    if not protocol.startswith("SASL"):
        yield from _without_effect(settings, ("kafka_sasl_mechanism",), "security_protocol SASL_SSL or SASL_PLAINTEXT")
    elif mechanism is None:
        yield "kafka.sasl_mechanism: is required; use PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHBEARER"
    if mechanism == "OAUTHBEARER":
        yield from _missing(settings, _OF_TOKENS)
    else:
        yield from _without_effect(settings, (*_OF_TOKENS, *_MORE_OF_TOKENS), "sasl_mechanism OAUTHBEARER")
    if mechanism is not None and mechanism != "OAUTHBEARER":
        yield from _missing(settings, _OF_PASSWORDS)
        if mechanism.startswith("SCRAM") and not settings.kafka_username.isascii():
            yield f"kafka.username: must be ASCII, as Kafka's {mechanism} takes no other name"
    else:
        yield from _without_effect(settings, _OF_PASSWORDS, "sasl_mechanism PLAIN or SCRAM-SHA-…")
    yield from _time_problems(settings)


def _time_problems(settings: KafkaSettings) -> Iterator[str]:
    if settings.kafka_connections_max_idle <= settings.kafka_request_timeout:
        yield (
            f"kafka.connections_max_idle: {settings.kafka_connections_max_idle:g} must be more than "
            f"kafka.request_timeout, {settings.kafka_request_timeout:g}"
        )


def kafka_cautions(settings: KafkaSettings) -> Iterator[str]:
    """Yield the risks of settings that work."""
    if settings.kafka_security_protocol == "SASL_PLAINTEXT":
        yield "kafka.security_protocol SASL_PLAINTEXT sends credentials and records without encryption: use SASL_SSL"


def _without_effect(settings: KafkaSettings, names: tuple[str, ...], needed: str) -> Iterator[str]:
    for name in names:
        if getattr(settings, name):
            yield f"{_shown(name)}: has no effect without kafka.{needed}; set it, or remove this"


def _missing(settings: KafkaSettings, names: tuple[str, ...]) -> Iterator[str]:
    for name in names:
        if not getattr(settings, name):
            yield f"{_shown(name)}: is required by kafka.sasl_mechanism {settings.kafka_sasl_mechanism}; set it"


def _shown(name: str) -> str:
    return _setting("", "").shown(name)
