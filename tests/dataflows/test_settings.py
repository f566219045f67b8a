"""Settings: precedence of the sources, and errors that have all problems and no secret."""

from pathlib import Path
from typing import Any

import pytest

from dataflows.job import Job
from dataflows.rules import rules_of
from dataflows.settings import Settings, load
from state.user.windows import DAY_MS, HOUR_MS
from tacit.contract.catalogue import SHIPPED
from tacit.contract.lifetimes import TOMBSTONE_MS
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET, tacit


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:  # the folder comes first
    """Set the secret, and no other setting."""
    monkeypatch.setenv("TACIT_SECRET", SECRET)


def _problems(**flags: Any) -> list[str]:
    with pytest.raises(ConfigurationError) as caught:
        load(flags)
    return list(caught.value.problems)


def test_defaults_are_those_of_a_worker_in_region_eu() -> None:
    """Only the secret is required."""
    settings = load({})
    assert (settings.redis, settings.region, settings.namespace) == ("redis://localhost:6379/0", "eu", "live")
    assert (settings.processes, settings.shards, settings.checkpoint_every, settings.state) == (1, 16, 10, None)
    assert settings.cache == 16_384
    assert settings.ttl_ms == 30 * DAY_MS
    assert settings.catalogue == SHIPPED
    assert settings.secret_bytes == SECRET.encode()
    assert rules_of(settings).lateness_ms == 24 * HOUR_MS


def test_flag_outranks_variable_outranks_file_outranks_default(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A source counts only where the ones before it have no value."""
    (folder / "tacit.toml").write_text('region = "file"\nnamespace = "file"\nshards = 4\n')
    monkeypatch.setenv("TACIT_REGION", "variable")
    monkeypatch.setenv("TACIT_NAMESPACE", "variable")
    settings = load({"region": "flag", "namespace": None})
    assert (settings.region, settings.namespace, settings.shards, settings.processes) == ("flag", "variable", 4, 1)


def test_variable_names_another_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """TACIT_CONFIG is read instead of tacit.toml."""
    (folder / "tacit.toml").write_text('region = "usual"\n')
    (folder / "other.toml").write_text('region = "named"\n')
    monkeypatch.setenv("TACIT_CONFIG", "other.toml")
    assert load({}).region == "named"


def test_empty_variable_was_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass variables that are not set as empty ones; an empty state folder would be the working one."""
    monkeypatch.setenv("TACIT_STATE", "")
    monkeypatch.setenv("TACIT_CONFIG", "")
    assert load({}).state is None


def test_constructor_reads_neither_variables_nor_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The demo uses neither the state folder nor the region of a deployment."""
    (folder / "tacit.toml").write_text("shards = 4\n")
    monkeypatch.setenv("TACIT_REGION", "us")
    monkeypatch.setenv("TACIT_STATE", str(folder))
    settings = Settings(embedded=True)
    assert (settings.region, settings.state, settings.shards) == ("eu", None, 16)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("redis", "http://localhost", "redis: must be redis://"),
        ("redis", "redis://localhost:port/0", "redis: must be redis://"),
        ("redis", "redis://localhost/0?colour=red", "redis: must be redis://"),
        ("redis", "redis://localhost/0?protocol=3", "redis: must be redis://"),
        ("redis", "redis://localhost/0?decode_responses=true", "redis: must be redis://"),
        ("redis", "localhost:6379", "redis: must be redis://"),
        ("redis", "redis://localhost/abc", "where DATABASE is a number"),
        ("redis", "rediss://localhost:6379/0x", "where DATABASE is a number"),
        ("redis", "redis://localhost/1/2", "where DATABASE is a number"),
        ("redis", "redis://localhost/-1", "where DATABASE is a number"),
        ("redis", "redis://localhost/1?db=2", "where DATABASE is a number"),
        ("region", "EU", "region: must match [a-z0-9-]{2,16}"),
        ("region", "e", "region: must match"),
        ("namespace", "a b", "namespace: must match"),
        ("namespace", "", "namespace: must match"),
        ("secret", "fifteen-bytes-.", "secret: set TACIT_SECRET to a secret of 16 to 64 bytes"),
        ("secret", "x" * 65, "secret: set TACIT_SECRET to a secret of 16 to 64 bytes"),
        ("secret", "", "secret: set TACIT_SECRET to a secret of 16 to 64 bytes"),
        ("catalogue", "none.toml", "catalogue: catalogue none.toml: cannot be read"),
        ("rejects", "kafka://host", "rejects: a Kafka address must read kafka://"),
        ("start", "yesterday", "start: 'yesterday' is no start: use earliest, latest"),
        ("start", "offset:-1", "is no start"),
        ("processes", 0, "processes: must be a whole number from 1 to 64"),
        ("processes", 65, "processes: must be a whole number from 1 to 64"),
        ("shards", 0, "shards: must be a whole number from 1 to 256"),
        ("shards", "many", "shards: must be a whole number from 1 to 256"),
        ("cache", 0, "cache: must be a whole number from 1"),
        ("cache", "all", "cache: must be a whole number from 1"),
        ("checkpoint_every", 0.5, "checkpoint_every: must be a number from 1 to 3600"),
        ("checkpoint_every", "nan", "checkpoint_every: must be a number from 1 to 3600"),
        ("population", "all", "population: must be learn, none or the number of a population version"),
        ("population", "0", "population: must be learn, none or the number of a population version"),
        ("population", "٣", "population: must be learn, none or the number of a population version"),
        ("challenger", "os.system", "os.system is no import path below river; use one such as river.linear_model"),
        ("challenger", [""], "challenger: must be a list of texts"),
        ("challenger_share", 0, "challenger_share: must be a number above 0 and up to 1"),
        ("models", {"os.system": {}}, "models: os.system is no import path below river"),
        ("models", {"river.linear_model.Perceptron": 3}, "models: must be tables in the TOML file"),
        ("models", "river.linear_model.Perceptron", "models: must be tables in the TOML file"),
        ("ttl", "soon", "ttl: must be a number above 0 and up to 3650, or none"),
        ("ttl", 0, "ttl: must be a number above 0 and up to 3650, or none"),
        ("ttl", "none", "ttl: none needs --embedded or another namespace than live"),
        ("lateness", 0, "lateness: must be a number above 0 and up to 2160"),
        ("tracing", "localhost:4318", "tracing: must be http://HOST:PORT"),
        ("tracing", "http://ada:hush@localhost:4318", "tracing: must be http://HOST:PORT"),
        ("tracing", "http://localhost:4318?token=hush", "tracing: must be http://HOST:PORT"),
        ("metrics", "9464", "metrics: must be HOST:PORT"),
        ("metrics", "localhost:0", "metrics: must be HOST:PORT"),
        ("metrics", "localhost:65536", "metrics: must be HOST:PORT"),
        ("log_level", "loud", "log_level: must be debug, info, warning or error"),
        ("embedded", "perhaps", "embedded: must be true or false"),
        ("regoin", "eu", "regoin: is not a setting; use region, or remove it"),
    ],
)
def test_bad_setting_is_named_with_what_is_allowed(name: str, value: object, expected: str) -> None:
    """One bad setting is one problem, which begins with its name."""
    [problem] = _problems(**{name: value})
    assert problem.startswith(f"{name}: ")
    assert expected in problem


def test_error_has_all_problems_of_a_catalogue(folder: Path) -> None:
    """The message includes the problems inside the file."""
    (folder / "bad.toml").write_text('schema = 1\n[facets.Tone]\ntitle = "Tone"\nvalues = ["one"]\n')
    [problem] = _problems(catalogue="bad.toml")
    assert "'Tone' is not a name" in problem
    assert "at least two are needed" in problem


@pytest.mark.parametrize(("flag", "expected"), [("none", None), ("0.5", DAY_MS // 2), (90, 90 * DAY_MS)])
def test_time_to_live_is_in_days(flag: object, expected: int | None) -> None:
    """`none` means no expiry; a fraction of a day is allowed."""
    assert load({"ttl": flag, "namespace": "shadow"}).ttl_ms == expected


@pytest.mark.parametrize(("flag", "expected"), [(None, TOMBSTONE_MS), ("1", DAY_MS), (500, 500 * DAY_MS)])
def test_memory_of_wipes_is_in_days(flag: object, expected: int) -> None:
    """State and gates forget a wipe after the same time."""
    settings = load({"tombstones": flag, "namespace": "shadow"})
    assert settings.tombstones_ms == rules_of(settings).tombstone_ms == expected
    assert Job(settings, (), bounded=True).target().tombstone_ms == expected


def test_identity_of_a_state_folder_has_the_comparison_of_user_ids(folder: Path) -> None:
    (folder / "folded.toml").write_text(f'identity = "casefold"\n{SHIPPED.read_text()}')
    found = [Job(load(flags), (), bounded=True).identity.identity for flags in ({}, {"catalogue": "folded.toml"})]
    assert found == ["exact", "casefold"]


@pytest.mark.parametrize("given", ["river.a.B, river.c.D", ["river.a.B", "river.c.D", "river.a.B"]])
def test_challengers_are_a_list_in_any_source(given: object, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A flag is repeated, a variable has commas, and the file has a list; each class counts once."""
    assert load({"challenger": given}).challenger == ("river.a.B", "river.c.D")
    (folder / "tacit.toml").write_text('challenger = ["river.e.F"]\n[models."river.e.F"]\nl2 = 0.1\n')
    settings = load({"challenger": []})
    assert (settings.challenger, settings.models) == (("river.e.F",), {"river.e.F": {"l2": 0.1}})
    monkeypatch.setenv("TACIT_CHALLENGER", "river.g.H,river.i.J")
    assert load({}).challenger == ("river.g.H", "river.i.J")


def test_challengers_need_the_training_of_the_population_model() -> None:
    """Without it no example reaches them."""
    [problem] = _problems(challenger="river.a.B", population="none")
    assert problem == "challenger: needs --population learn, as only that training has examples; use learn"


def test_embedded_redis_allows_signals_without_expiry() -> None:
    """Also in the namespace `live`, as the Redis ends with the command."""
    assert load({"ttl": "none", "embedded": True}).ttl_ms is None


def test_embedded_redis_needs_no_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its contents end with the command."""
    monkeypatch.delenv("TACIT_SECRET")
    assert load({"embedded": True}).secret_bytes


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'region = "eu', "config: other.toml is not a TOML file: "),
        (b'region = "\xff"', "config: other.toml is not a TOML file: "),
        (b"[worker]\nshards = 4\n", "worker: is not a setting"),
    ],
)
def test_invalid_file_is_an_error(content: bytes, expected: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """The file is not TOML, or has a key that is not a setting."""
    (folder / "other.toml").write_bytes(content)
    monkeypatch.setenv("TACIT_CONFIG", "other.toml")
    [problem] = _problems()
    assert problem.startswith(expected)


def test_missing_named_file_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """A mistyped TACIT_CONFIG must not mean the defaults."""
    monkeypatch.setenv("TACIT_CONFIG", "missing.toml")
    assert _problems() == ["config: TACIT_CONFIG names missing.toml, which is not a file; correct the path"]


def test_error_has_all_problems_and_no_secret(folder: Path) -> None:
    """Status 2, one message on stderr, nothing on stdout, and no value that may be secret."""
    (folder / "tacit.toml").write_text(
        'secret = "hush-hush"\nredis = "redis://:hush-hush@redis:port"\nregoin = "hush-hush"\nshards = 0\n'
    )
    flags = ("--region", "EU", "--catalogue", "none.toml", "--ttl", "none", "--population", "best")
    done = tacit("replay", "events.jsonl", *flags, cwd=folder, TACIT_SECRET="", TACIT_CHECKPOINT_EVERY="0")
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.startswith("tacit: 9 problems\n")
    named = {line.removeprefix("  - ").partition(":")[0] for line in done.stderr.splitlines()[1:]}
    assert named == {
        "secret", "redis", "regoin", "shards", "region", "catalogue", "ttl", "population", "checkpoint_every",
    }  # fmt: skip
    assert "hush-hush" not in done.stderr


def test_mistyped_variable_is_a_problem_with_the_nearest_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also in lower case; an empty variable counts as absent."""
    monkeypatch.setenv("TACIT_CHEKPOINT_EVERY", "5")
    monkeypatch.setenv("tacit_region", "us")
    monkeypatch.setenv("TACIT_EMPTY", "")
    assert _problems() == [
        "TACIT_CHEKPOINT_EVERY: is not a variable of Tacit; use TACIT_CHECKPOINT_EVERY, or unset it",
        "tacit_region: is not a variable of Tacit; use TACIT_REGION, or unset it",
    ]


def test_unlike_name_is_not_suggested(monkeypatch: pytest.MonkeyPatch) -> None:
    """A wrong suggestion is worse than the list."""
    monkeypatch.setenv("TACIT_ZZZ", "5")
    [problem] = _problems()
    assert problem.startswith("TACIT_ZZZ: is not a variable of Tacit; correct the name (")


@pytest.mark.parametrize(
    "name",
    [
        "TACIT_SERVICE_HOST", "TACIT_WORKER_SERVICE_PORT", "TACIT_WORKER_SERVICE_PORT_METRICS", "TACIT_PORT",
        "TACIT_PORT_9464_TCP_ADDR", "TACIT_READER_PASSWORD",
    ],
)  # fmt: skip
def test_variables_of_others_are_no_problem(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Kubernetes sets variables for each service, also for one with the name of Tacit."""
    monkeypatch.setenv(name, "10.0.0.1")
    assert load({}).region == "eu"


def test_flag_names_another_file(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """`--config` outranks TACIT_CONFIG, and has to exist."""
    (folder / "other.toml").write_text('region = "named"\n')
    monkeypatch.setenv("TACIT_CONFIG", "missing.toml")
    assert load({}, Path("other.toml")).region == "named"
    with pytest.raises(ConfigurationError, match=r"config: --config names absent\.toml, which is not a file"):
        load({}, Path("absent.toml"))


def test_given_settings_are_those_with_a_source(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """A value that equals the default counts as given."""
    (folder / "tacit.toml").write_text("shards = 16\n")
    assert load({"namespace": "live"}).given == {"namespace", "shards", "secret"}


def test_representation_has_neither_secret_nor_url() -> None:
    """A log or a traceback may have it."""
    assert SECRET not in repr(load({"redis": "redis://:hush-hush@localhost"}))
    assert "hush-hush" not in repr(load({"redis": "redis://:hush-hush@localhost"}))
