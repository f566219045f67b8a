"""The command line as people meet it: help, mistakes, and what every command has in common."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from dataflows.settings import Settings
from tacit_cli.app import app
from tests.support.commands import tacit
from tests.support.replays import redis_of_its_own, write_history

COMMANDS = ("run", "replay", "rebuild", "evaluate", "simulate", "diff", "promote", "show", "check", "demo")


def _options(command: str) -> set[str]:
    (found,) = [each for each in app.registered_commands if each.callback and each.callback.__name__ == command]
    assert found.callback is not None
    return set(found.callback.__annotations__) - {"context", "return", "source", "user"}


@pytest.mark.parametrize("command", ["run", "replay", "show", "check"])
def test_every_option_is_a_setting_of_that_name(command: str) -> None:
    """Otherwise it would be taken and have no effect."""
    assert _options(command) - Settings.model_fields.keys() <= {"json"}


def test_help_names_every_command() -> None:
    """Also where no command is given."""
    for words in ([], ["--help"]):
        done = tacit(*words)
        assert all(f" {command} " in done.stdout + done.stderr for command in COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str) -> None:
    """With each of its options."""
    done = CliRunner().invoke(app, [command, "--help"], env={"COLUMNS": "120"})
    assert done.exit_code == 0
    for option in _options(command) & Settings.model_fields.keys():
        assert f"--{option.replace('_', '-')}" in done.output


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["replay"], "Missing argument 'SOURCE"),
        (["show"], "Missing argument 'USER"),
        (["replay", "a.jsonl", "--bogus"], "No such option: --bogus"),
        (["replay", "a.jsonl", "--shards", "many"], "Invalid value for '--shards'"),
        (["tell"], "No such command 'tell'"),
        (["simulate"], "Missing option '--out'"),
        (["simulate", "--out", "x.jsonl", "--users", "0"], "users: 0; at least 1 is needed"),
        (["simulate", "--out", "x.jsonl", "--catalogue", "none.toml"], "catalogue none.toml: cannot be read"),
        (["simulate", "--out", "kafka://nowhere/x"], "'nowhere' is no HOST:PORT"),
    ],
)
def test_asking_wrongly_is_status_2(words: list[str], expected: str, tmp_path: Path) -> None:
    """Said on stderr, without a traceback."""
    done = tacit(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in done.stderr
    assert "Traceback" not in done.stderr


def test_simulation_is_written_with_its_truth(tmp_path: Path) -> None:
    """The same seed and end make the same bytes; brackets in a name are brackets."""
    contents = []
    for name in ("[a].jsonl", "[b].jsonl"):
        words = ("simulate", "--users", "20", "--turns", "200", "--seed", "3", "--end", "1795297433438")
        done = tacit(*words, "--out", name, "--truth", f"truth-{name}", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"events of 20 people in {name}; the truth in truth-{name}" in done.stdout
        contents.append((tmp_path / name).read_bytes() + (tmp_path / f"truth-{name}").read_bytes())
    assert contents[0] == contents[1]


def test_simulation_that_cannot_be_written_is_status_1(tmp_path: Path) -> None:
    """One line, which says why."""
    done = tacit("simulate", "--out", "no/such/folder.jsonl", "--users", "5", "--turns", "10", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "tacit: no/such/folder.jsonl cannot be written: No such file or directory\n"


def test_embedded_replay_needs_nothing_and_leaves_nothing(tmp_path: Path) -> None:
    """No Redis, no secret; the people with signals are counted, as nobody else could look at them."""
    write_history(tmp_path / "events.jsonl")
    done = tacit("replay", "events.jsonl", "--embedded", cwd=tmp_path, TACIT_SECRET="", TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    said = {line.split("  ")[0].strip(): line for line in done.stdout.splitlines()}
    assert "all accounted for" in said["events read"]
    assert "namespace live" in said["people with signals"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "tacit-rejects.jsonl"]


def test_replay_into_another_redis_does_not_scan_it(tmp_path: Path) -> None:
    """It may hold millions of keys of others."""
    write_history(tmp_path / "events.jsonl", users=5, turns=50)
    with redis_of_its_own() as (url, _):
        done = tacit("replay", "events.jsonl", "--redis", url, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["users_with_signals"] is None
