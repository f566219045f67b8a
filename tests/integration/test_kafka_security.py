"""TLS and SASL against a real broker: each refusal is one sentence with its remedy, at once."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]
from structlog.testing import capture_logs

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.chained_topic import ChainedTopic
from connectors.kafka.client_options import ClientOptions
from connectors.kafka.cluster import cluster_id
from connectors.kafka.login import Login
from connectors.kafka.offsets import look_up, reader_options
from connectors.kafka.producer import CheckedProducer
from connectors.kafka.records import held_records
from connectors.kafka.retention import topic_retention
from connectors.kafka.tls import TlsFiles
from connectors.traces.topics import read_values
from state.errors import AccessError, SourceError
from tests.support.commands import tacit
from tests.support.conditions import eventually
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_certificates import KEY_PASSWORD, Certificates
from tests.support.secure_broker import ODD_USER, PASSWORD, USER, SecureBroker
from tests.support.token_server import TokenServer, token_server

pytestmark = KAFKA_TEST

AT_ONCE_S = 5.0
"""Well below the time limit of a broker that does not answer."""


def trusting(files: Certificates, certificate: str = "", key: str = "", password: str = "") -> TlsFiles:
    """Return the files of a client that trusts the authority, with a certificate if one is named."""
    if not certificate:
        return TlsFiles(files.authority)
    return TlsFiles(files.authority, files.certificate(certificate), files.key(key or certificate), password)


Options = Callable[[Certificates], ClientOptions]

PLAIN: Options = lambda _: ClientOptions()  # noqa: E731  # a row of a table
TLS: Options = lambda files: ClientOptions(protocol="SSL", tls=trusting(files))  # noqa: E731  # a row of a table


def with_certificate(*names: str) -> Options:
    return lambda files: ClientOptions(protocol="SSL", tls=trusting(files, *names))


def with_login(mechanism: Any, user: str = USER, password: str = PASSWORD, *, protocol: Any = "SASL_SSL") -> Options:
    def options(files: Certificates) -> ClientOptions:
        tls = trusting(files) if protocol == "SASL_SSL" else TlsFiles()
        return ClientOptions(protocol=protocol, tls=tls, login=Login(mechanism, user, password))

    return options


def at(broker: SecureBroker, listener: str, options: Options, topic: str = "absent") -> TopicAddress:
    servers = broker.servers if listener == "NONE" else broker.at(listener)
    return TopicAddress((servers,), topic, options(broker.certificates))


@pytest.mark.parametrize(
    ("listener", "options"),
    [
        ("NONE", PLAIN),
        ("TLS", TLS),
        ("MUTUAL", with_certificate("client")),
        ("MUTUAL", with_certificate("client", "encrypted", KEY_PASSWORD)),
        ("SASL", with_login("PLAIN")),
        ("SASL", with_login("SCRAM-SHA-256")),
        ("SASL", with_login("SCRAM-SHA-512")),
        ("SASL", with_login("SCRAM-SHA-512", user=ODD_USER)),
        ("CLEAR", with_login("SCRAM-SHA-512", protocol="SASL_PLAINTEXT")),
    ],
)
def test_every_client_reads_and_writes(secure_broker: SecureBroker, listener: str, options: Options) -> None:
    """Consumer, producer, transactions and admin client have the same options."""
    address = at(secure_broker, listener, options, secure_broker.create_topic())
    with CheckedProducer(address) as producer:
        producer.send(address.topic, b"user", b"value")
    assert [record.value for record in held_records(address)] == list(read_values(address)) == [b"value"]
    ChainedTopic(address).append(lambda newest: b"after " + (newest or b""))
    assert ChainedTopic(address).newest() == b"after value"
    assert cluster_id(address) == cluster_id(TopicAddress((secure_broker.servers,), "any"))
    assert topic_retention(address).age_ms == 7 * 86_400_000


LOOKS: list[Callable[[TopicAddress], object]] = [
    lambda address: look_up(address, Start("earliest")),
    CheckedProducer,
    cluster_id,
    topic_retention,
]


def refusal_of(look: Callable[[TopicAddress], object], address: TopicAddress) -> str:
    """Return the text of the refusal, after less than the time limit of an outage."""
    began_s = monotonic()
    with pytest.raises(AccessError) as caught:
        look(address)
    assert monotonic() - began_s < AT_ONCE_S
    return str(caught.value)


@pytest.mark.usefixtures("refused_connections")
@pytest.mark.parametrize(
    ("listener", "options", "expected"),
    [
        ("EXPIRED", TLS, "the certificate of the broker has expired; renew it"),
        ("ELSEWHERE", TLS, "the certificate of the broker is not for localhost; use a host name"),
        ("TLS", lambda _: ClientOptions(protocol="SSL"), "from an authority that is not trusted; .* kafka.ca_file"),
        ("MUTUAL", TLS, "requires a certificate of the client; set kafka.certificate_file and kafka.key_file"),
        ("MUTUAL", with_certificate("stranger"), "refuses the certificate in .*stranger.pem; use one of an authority"),
        ("TLS", PLAIN, "the listener requires TLS; set kafka.security_protocol to SSL"),
        ("NONE", TLS, "the listener has no TLS; .* kafka.security_protocol to PLAINTEXT"),
        ("SASL", with_login("PLAIN", password="wrong"), "refuses the login by PLAIN; correct kafka.username and"),
        ("SASL", with_login("SCRAM-SHA-256", password="wrong"), "refuses the login by SCRAM-SHA-256; correct"),
        ("SASL", with_login("SCRAM-SHA-512", user="other"), "refuses the login by SCRAM-SHA-512; correct"),
        ("SASL", TLS, "requires a login; set kafka.security_protocol to SASL_SSL, kafka.sasl_mechanism to one of"),
        ("CLEAR", PLAIN, "requires a login; set kafka.security_protocol to SASL_PLAINTEXT"),
        ("TLS", with_login("PLAIN"), "takes no login; set kafka.security_protocol to SSL"),
        ("NONE", with_login("PLAIN"), "the listener has no TLS; .* kafka.security_protocol to SASL_PLAINTEXT"),
        ("CLEAR", with_login("PLAIN"), "the listener has no TLS"),
    ],
)
def test_refusal_is_one_sentence_at_once(
    secure_broker: SecureBroker, listener: str, options: Options, expected: str
) -> None:
    """Every client names the reason and the remedy, and no password."""
    address = at(secure_broker, listener, options)
    for look in LOOKS:
        text = refusal_of(look, address)
        assert "\n" not in text
        assert PASSWORD not in text
        assert "wrong" not in text
        assert re.search(expected, text), text


@pytest.mark.usefixtures("refused_connections")
def test_one_good_server_suffices(secure_broker: SecureBroker) -> None:
    """A refusal of one server, or a dead one, is no error while another server accepts the client."""
    topic = secure_broker.create_topic()
    client = TLS(secure_broker.certificates)
    good, refusing = secure_broker.at("TLS"), secure_broker.at("EXPIRED")
    for servers in ((refusing, good), (good, refusing), ("localhost:1", good)):
        assert list(look_up(TopicAddress(servers, topic, client), Start("earliest"))) == [0]
    assert "has expired" in refusal_of(LOOKS[0], TopicAddress(("localhost:1", refusing), topic, client))


def test_renewed_certificate_needs_no_new_client(secure_broker: SecureBroker, tmp_path: Path) -> None:
    """The files are read for each connection."""
    files = secure_broker.certificates
    certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
    certificate.write_bytes(files.certificate("stranger").read_bytes())
    key.write_bytes(files.key("stranger").read_bytes())
    client = ClientOptions(protocol="SSL", tls=TlsFiles(files.authority, certificate, key))
    address = TopicAddress((secure_broker.at("MUTUAL"),), secure_broker.create_topic(), client)
    assert "refuses the certificate" in refusal_of(LOOKS[0], address)
    certificate.write_bytes(files.certificate("client").read_bytes())
    key.write_bytes(files.key("client").read_bytes())
    assert list(look_up(address, Start("earliest"))) == [0]


def test_refusal_during_a_run_is_logged_and_ends(secure_broker: SecureBroker) -> None:
    """A password that changes on the broker and back: the log has both, and the reader continues."""
    address = at(secure_broker, "SASL", with_login("SCRAM-SHA-256"), secure_broker.create_topic())
    found: list[bytes] = []
    with capture_logs() as logs, KafkaConsumer(**reader_options(address)) as consumer:
        partition = TopicPartition(address.topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)

        def reads(value: bytes) -> bool:
            found.extend(record.value for batch in consumer.poll(100).values() for record in batch)
            return value in found

        def has_logged(event: str) -> bool:
            consumer.poll(100)
            return event in [each["event"] for each in logs]

        secure_broker.produce(address.topic, [b"before"])
        eventually(lambda: reads(b"before"), within_s=20, what="the first record")
        secure_broker.set_password("another password")
        try:
            eventually(lambda: has_logged("kafka_access.failed"), within_s=60, what="a log of the refusal")
        finally:
            secure_broker.set_password(PASSWORD)
        secure_broker.produce(address.topic, [b"after"])
        eventually(lambda: reads(b"after"), within_s=60, what="the second record")
        eventually(lambda: has_logged("kafka_access.recovered"), within_s=20, what="a log of the recovery")
    [failed] = [each for each in logs if each["event"] == "kafka_access.failed"]
    assert "the broker refuses the login by SCRAM-SHA-256" in failed["error"]
    assert found == [b"before", b"after"]


@pytest.fixture
def tokens(tmp_path: Path) -> Iterator[TokenServer]:
    with token_server(tmp_path) as server:
        yield server


def with_token(server: TokenServer) -> Options:
    login = Login("OAUTHBEARER", tokens=server.endpoint())
    return lambda files: ClientOptions(protocol="SASL_SSL", tls=trusting(files), login=login)


def test_token_of_the_endpoint_opens_the_topic(secure_broker: SecureBroker, tokens: TokenServer) -> None:
    """One token serves all connections."""
    address = at(secure_broker, "SASL", with_token(tokens), secure_broker.create_topic())
    with CheckedProducer(address) as producer:
        producer.send(address.topic, b"user", b"value")
    assert list(read_values(address)) == [b"value"]
    assert len(tokens.scopes) == 1


def test_token_is_renewed_while_a_reader_runs(secure_broker: SecureBroker, tokens: TokenServer) -> None:
    """The broker ends a session with its token; the reader logs in again on the same connection."""
    tokens.lifetime_s = 3
    address = at(secure_broker, "SASL", with_token(tokens), secure_broker.create_topic())
    found: list[bytes] = []
    with capture_logs() as logs, KafkaConsumer(**reader_options(address)) as consumer:
        partition = TopicPartition(address.topic, 0)
        consumer.assign([partition])
        consumer.seek(partition, 0)

        def has_renewed() -> bool:
            found.extend(record.value for batch in consumer.poll(100).values() for record in batch)
            return len(tokens.scopes) > 3

        def has_read() -> bool:
            return has_renewed() and found == [b"value"]

        eventually(has_renewed, within_s=60, what="three renewals")
        secure_broker.produce(address.topic, [b"value"])
        eventually(has_read, within_s=20, what="the record")
    assert [each for each in logs if each["event"] == "kafka_access.failed"] == []


@pytest.mark.usefixtures("refused_connections")
def test_refused_token_is_one_sentence_at_once(secure_broker: SecureBroker, tokens: TokenServer) -> None:
    """The broker refuses it, or the endpoint gives none; neither the token nor the secret is in the text."""
    address = at(secure_broker, "SASL", with_token(tokens))
    tokens.answer = (401, b'{"error": "invalid_client"}')
    assert "kafka.token_url: localhost gives no token (HTTP 401, invalid_client)" in refusal_of(LOOKS[0], address)
    tokens.answer = (503, b"")
    for look in LOOKS:
        with pytest.raises(SourceError, match=r"gives no token \(HTTP 503\); check the token endpoint"):
            look(address)
    tokens.answer = (200, b'{"access_token": "a.b.c", "expires_in": 3600}')
    for look in LOOKS:
        text = refusal_of(look, address)
        assert "the broker refuses the token of localhost; correct kafka.token_scope" in text


@pytest.mark.usefixtures("refused_connections")
def test_address_that_brokers_name_is_verified_too(secure_broker: SecureBroker) -> None:
    """The first broker's certificate fits the address of the settings, and not the one that the broker names."""
    server = secure_broker.at("ELSEWHERE").replace("localhost", "127.0.0.1")
    address = TopicAddress((server,), "absent", TLS(secure_broker.certificates))
    for look in LOOKS:
        assert "localhost:" in (text := refusal_of(look, address))
        assert "the certificate of the broker is not for localhost" in text


@pytest.mark.parametrize("words", [("check",), ("run", "--embedded"), ("replay", "--embedded"), ("forget", "ada")])
def test_command_ends_with_one_line(secure_broker: SecureBroker, tmp_path: Path, words: tuple[str, ...]) -> None:
    """A wrong password in a file; the status is that of failed work."""
    (tmp_path / "password").write_text("wrong password\n")
    topic = f"kafka://{secure_broker.at('SASL')}/absent"
    source = ("--source", topic) if words[0] == "forget" else (topic,)
    done = tacit(
        *words,
        *source,
        cwd=tmp_path,
        TACIT_KAFKA_SECURITY_PROTOCOL="SASL_SSL",
        TACIT_KAFKA_CA_FILE=str(secure_broker.certificates.authority),
        TACIT_KAFKA_SASL_MECHANISM="SCRAM-SHA-512",
        TACIT_KAFKA_USERNAME=USER,
        TACIT_KAFKA_PASSWORD_FILE=str(tmp_path / "password"),
        TACIT_STATE=str(tmp_path / "state"),
    )
    assert done.returncode == 1
    text = " ".join((done.stderr + done.stdout).split())
    assert "the broker refuses the login by" in text
    assert "wrong password" not in text
    assert "Traceback" not in text
    if words[0] != "check":
        assert done.stderr.splitlines()[-1].startswith("tacit: localhost:")
