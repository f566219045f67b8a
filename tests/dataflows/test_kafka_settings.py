"""Settings of the Kafka client: what belongs together, and the options of kafka-python that follow."""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from connectors.kafka.client_options import DEFAULT_CLIENT, ClientOptions
from connectors.kafka.tls import TlsContext
from dataflows.settings import Settings, load
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET

PAGE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "kafka.md"


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:  # the folder comes first
    """Set the secret, and no other setting."""
    monkeypatch.setenv("TACIT_SECRET", SECRET)


def settings(**options: Any) -> Settings:
    return Settings(secret=SECRET, **{f"kafka_{name}": value for name, value in options.items()})


def problems(**options: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        settings(**options)
    return list(caught.value.problems)


SASL = {"security_protocol": "SASL_SSL", "sasl_mechanism": "PLAIN", "username": "me", "password": "hidden"}
TOKENS = {
    "security_protocol": "SASL_SSL",
    "sasl_mechanism": "OAUTHBEARER",
    "token_url": "https://login.example/token",
    "token_client_id": "me",
    "token_client_secret": "hidden",
}


def test_default_is_a_cluster_without_security() -> None:
    """Options that no setting changes are those of `ClientOptions`."""
    assert settings().kafka == DEFAULT_CLIENT == ClientOptions()
    assert settings().topic("kafka://a:1/t").client == DEFAULT_CLIENT


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"security_protocol": "TLS"}, "kafka.security_protocol: must be PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL"),
        ({"sasl_mechanism": "GSSAPI"}, "kafka.sasl_mechanism: must be PLAIN, SCRAM-SHA-256, SCRAM-SHA-512 or OAUTHB"),
        ({"security_protocol": "SASL_SSL"}, "kafka.sasl_mechanism: is required; use PLAIN, SCRAM-SHA-256"),
        ({"ca_file": "ca.pem"}, "kafka.ca_file: has no effect without kafka.security_protocol SSL or SASL_SSL"),
        ({"username": "me"}, "kafka.username: has no effect without kafka.sasl_mechanism PLAIN or SCRAM"),
        ({"sasl_mechanism": "PLAIN", "username": "me", "password": "x"}, "kafka.sasl_mechanism: has no effect without"),
        ({"security_protocol": "SSL", "key_file": "x"}, "kafka.key_file: has no effect without kafka.certificate_file"),
        (SASL | {"password": ""}, "kafka.password: is required by kafka.sasl_mechanism PLAIN"),
        (
            SASL | {"sasl_mechanism": "SCRAM-SHA-256", "username": "ö"},
            "kafka.username: must be ASCII, as Kafka's SCRAM",
        ),
        (SASL | {"username": ""}, "kafka.username: is required by kafka.sasl_mechanism PLAIN"),
        (SASL | {"password": "a\0b"}, "kafka.password: must have no NUL character"),
        (SASL | {"token_scope": "x"}, "kafka.token_scope: has no effect without kafka.sasl_mechanism OAUTHBEARER"),
        (TOKENS | {"token_client_secret": ""}, "kafka.token_client_secret: is required by kafka.sasl_mechanism OAUTH"),
        (TOKENS | {"password": "hidden"}, "kafka.password: has no effect without kafka.sasl_mechanism PLAIN or SCRAM"),
        (TOKENS | {"token_url": "http://login.example/token"}, "kafka.token_url: must be https://HOST/PATH"),
        (TOKENS | {"token_url": "https://me:hidden@login.example/"}, "kafka.token_url: must have no user or password"),
        (TOKENS | {"token_url": "https://host:port/"}, "kafka.token_url: must be https://HOST/PATH"),
        (TOKENS | {"token_extensions": "cluster"}, "kafka.token_extensions: must be NAME=VALUE"),
        (TOKENS | {"token_extensions": "auth=x"}, "kafka.token_extensions: must be NAME=VALUE"),
        ({"client_id": "a b"}, "kafka.client_id: must have letters, digits, dots"),
        ({"request_timeout": 0}, "kafka.request_timeout: must be a number from 1 to 100"),
        ({"request_timeout": 20, "connections_max_idle": 20}, "kafka.connections_max_idle: 20 must be more than"),
        ({"connections_max_idle": "long"}, "kafka.connections_max_idle: must be a number from 10 to 86400"),
        ({"partition_fetch_bytes": 1.5}, "kafka.partition_fetch_bytes: must be a whole number from 1024"),
    ],
)
def test_option_that_is_missing_or_has_no_effect_is_a_problem(options: dict[str, Any], expected: str) -> None:
    """A mistyped protocol must not turn off the security that other settings ask for."""
    [found] = problems(**options)
    assert found.startswith(expected)
    assert "hidden" not in found


def test_options_of_kafka_python_follow() -> None:
    """SCRAM escapes two characters of a name; PLAIN does not."""
    plain = settings(**SASL | {"username": "a=b,c", "request_timeout": 30, "connections_max_idle": 180}).kafka.as_dict()
    assert isinstance(plain["ssl_context"], TlsContext)
    assert (plain["sasl_mechanism"], plain["sasl_plain_username"], plain["sasl_plain_password"]) == (
        *("PLAIN", "a=b,c"),
        "hidden",
    )
    assert (plain["request_timeout_ms"], plain["connections_max_idle_ms"]) == (30_000, 180_000)
    scram = settings(**SASL | {"username": "a=b,c", "sasl_mechanism": "SCRAM-SHA-256"}).kafka.as_dict()
    assert scram["sasl_plain_username"] == "a=3Db=2Cc"


def test_no_text_of_the_settings_has_a_secret() -> None:
    """Neither the settings, nor the options, nor an address."""
    for options in (SASL, TOKENS, {"security_protocol": "SSL", "certificate_file": "x", "key_password": "hidden"}):
        found = settings(**options)
        for text in (
            repr(found),
            repr(found.kafka),
            repr(found.topic("kafka://a:1/t")),
            str(found.topic("kafka://a:1/t")),
        ):
            assert "hidden" not in text


def test_login_without_encryption_is_a_caution() -> None:
    """It works, as in a network that is trusted."""
    [caution] = settings(**SASL | {"security_protocol": "SASL_PLAINTEXT"}).cautions
    assert caution.startswith("kafka.security_protocol SASL_PLAINTEXT sends credentials and records without encryption")
    assert settings(**SASL).cautions == ()


def _examples() -> list[str]:
    return [block.partition("```")[0] for block in PAGE.read_text(encoding="utf-8").split("```toml\n")[1:]]


@pytest.mark.parametrize("example", _examples(), ids=lambda text: text.splitlines()[1][:40])
def test_examples_of_the_guide_are_valid(folder: Path, example: str) -> None:
    """Each table [kafka] of the guide loads; its files exist on the reader's machine only."""
    document = tomllib.loads(example)
    for key, value in document["kafka"].items():
        if key.endswith(("password_file", "secret_file")):
            example = example.replace(str(value), "secret")
    (folder / "secret").write_text("hidden\n")
    (folder / "tacit.toml").write_text(example)
    client = load({}).kafka
    assert client.protocol == document["kafka"]["security_protocol"]
    assert client.uses_sasl == (client.login is not None)
