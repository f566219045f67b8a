"""Sources of settings: tables of the file, and secrets in files."""

from pathlib import Path

import pytest

from dataflows.settings import load
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET

pytestmark = pytest.mark.usefixtures("folder")


def problems() -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load({})
    return list(caught.value.problems)


def test_every_secret_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The variable with `_FILE` outranks the key of the file, as every variable does."""
    (folder / "one").write_text(f"{SECRET}\n")
    (folder / "two").write_text("redis://:p%40ss@localhost/0\n")
    (folder / "three").write_text("of the file\n")
    (folder / "tacit.toml").write_text(
        'secret_file = "one"\nredis_file = "none"\n[kafka]\nsecurity_protocol = "SASL_SSL"\n'
        'sasl_mechanism = "PLAIN"\nusername = "me"\npassword_file = "three"\n'
    )
    monkeypatch.setenv("TACIT_REDIS_FILE", "two")
    assert problems() == ["redis_file: none cannot be read: No such file or directory; correct the path or the rights"]
    (folder / "none").write_text("redis://elsewhere/0")
    settings = load({})
    assert (settings.secret, settings.redis) == (SECRET, "redis://:p%40ss@localhost/0")
    assert settings.kafka_password == "of the file"
    monkeypatch.setenv("TACIT_KAFKA_PASSWORD", "of the variable")
    assert load({}).kafka_password == "of the variable"


def test_secret_and_its_file_are_not_both_set(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Within one source: it would not be clear which one counts."""
    (folder / "one").write_text(SECRET)
    (folder / "tacit.toml").write_text(f'secret = "{SECRET}"\nsecret_file = "one"\n')
    monkeypatch.setenv("TACIT_SECRET", SECRET)
    monkeypatch.setenv("TACIT_SECRET_FILE", "one")
    assert [text for text in problems() if "both" in text] == [
        "secret_file: and secret are both set; set one of them",
        "TACIT_SECRET: and TACIT_SECRET_FILE are both set; set one of them",
    ]


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ("[kafka]\npasword = 'hidden'", "kafka.pasword: is not a setting; use kafka.password, or remove it"),
        ("[kafka]\nlinger_ms = 5", "kafka.linger_ms: is not a setting; [kafka] has ca_file, certificate_file, client_"),
        ("kafka = 3", "kafka: is not a setting"),
        ("kafka_username = 'me'", "kafka_username: is not a setting; use kafka.username"),
        ("[kafka]\npassword_file = 3", "kafka.password_file: must be the path of a file"),
        ("[kafka]\nusername = 3", "kafka.username: must be text"),
        ("[redis]\nurl = 'x'", "redis: must be text in quotes: URL"),
        ("population = 3", "population: must be text in quotes: learn|none|N"),
        ("shards_file = 'x'", "shards_file: is not a setting; use shards"),
    ],
)
def test_unknown_key_is_a_problem(folder: Path, document: str, expected: str) -> None:
    """The text has the nearest name, or the names of the table."""
    (folder / "tacit.toml").write_text(document + "\n")
    found = [text for text in problems() if not text.startswith("secret:")]
    assert [text.startswith(expected) for text in found] == [True], found
    assert "hidden" not in str(found)


def test_unknown_variable_is_a_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    """A setting that is no secret has no file."""
    monkeypatch.setenv("TACIT_SECRET", SECRET)
    monkeypatch.setenv("TACIT_KAFKA_PASSWORT", "hidden")
    monkeypatch.setenv("TACIT_SHARDS_FILE", "x")
    assert problems() == [
        "TACIT_KAFKA_PASSWORT: is not a variable of Tacit; use TACIT_KAFKA_PASSWORD, or unset it",
        "TACIT_SHARDS_FILE: is not a variable of Tacit; use TACIT_SHARDS, or unset it",
    ]


@pytest.mark.parametrize(
    ("document", "mode", "expected"),
    [
        (f'secret = "{SECRET}"\n', 0o644, "secret"),
        (f'secret = "{SECRET}"\nredis = "redis://:hidden@localhost/0"\n', 0o604, "redis, secret"),
        (f'secret = "{SECRET}"\n', 0o640, ""),
        ('redis = "redis://localhost/0"\n', 0o644, ""),
        ('secret_file = "one"\n', 0o644, ""),
    ],
)
def test_secrets_that_every_user_can_read_are_a_caution(
    monkeypatch: pytest.MonkeyPatch, folder: Path, document: str, mode: int, expected: str
) -> None:
    """The caution names the settings, and not their values."""
    monkeypatch.setenv("TACIT_SECRET", SECRET)
    (folder / "one").write_text(SECRET)
    path = folder / "tacit.toml"
    path.write_text(document)
    path.chmod(mode)
    cautions = load({}).cautions
    assert [", ".join(sorted(text.partition("(")[2].partition(")")[0].split(", "))) for text in cautions] == (
        [expected] if expected else []
    )
    assert SECRET not in str(cautions)
    assert "hidden" not in str(cautions)
