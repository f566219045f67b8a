"""Command line: help, usage errors, exit statuses, and common options."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
import typer.main
import zstandard

from dataflows.setting_sources import variable_of
from dataflows.settings import WORKER_GROUPS, descriptions
from state.row.form import COMPILED
from tacit_cli.app import COMMANDS, app
from tests.support.commands import new_tacit, tacit
from tests.support.replays import redis_of_its_own, write_history

PATHS = [(name,) for name in COMMANDS] + [
    ("state", "show"),
    ("state", "stats"),
    ("redis", "acl"),
    ("rejects", "list"),
    ("rejects", "show"),
    ("rejects", "retry"),
]
SMALL = ("--users", "20", "--turns", "200", "--seed", "3", "--end", "1795297433438")


def _command(*path: str) -> Any:
    command: Any = typer.main.get_command(app)
    for name in path:
        command = command.commands[name]
    return command


def test_help_lists_every_command_with_a_line() -> None:
    """Also for a call without a command, which is wrong usage."""
    for words, status in (([], 2), (["--help"], 0), (["-h"], 0)):
        done = tacit(*words)
        assert done.returncode == status
        for name, lazy in COMMANDS.items():
            assert f"  {name:<8}  {lazy.summary}\n" in done.stdout + done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_line_of_a_command_is_the_first_line_of_its_own_help(name: str) -> None:
    """The table, which is there before any import, repeats it."""
    assert (_command(name).help or "").partition("\n")[0] == COMMANDS[name].summary


@pytest.mark.parametrize("path", PATHS, ids=" ".join)
def test_every_command_explains_itself(path: tuple[str, ...]) -> None:
    """`-h` is `--help`; a command has an example, its exit statuses, and the variable of each setting.

    As a new process, too: it has its own imports alone.
    """
    short, long = new_tacit(*path, "-h"), tacit(*path, "--help")
    assert (short.stdout, short.returncode, short.stderr) == (long.stdout, 0, "")
    if path in {("audit",), ("redis",), ("rejects",), ("state",)}:
        return
    assert f"\n  $ tacit {' '.join(path)} " in short.stdout
    assert "Exit status:\n  0  done\n  1  " in short.stdout
    text = " ".join(short.stdout.split())
    for option in _command(*path).params:
        if option.name in descriptions() and option.param_type_name == "option":
            assert option.opts == [f"--{option.name.replace('_', '-')}"]
            assert variable_of(option.name) in text


@pytest.mark.parametrize("name", ["run", "replay", "check"])
def test_every_setting_of_a_run_but_the_secret_is_an_option_of(name: str) -> None:
    """A new setting needs no change of a command; arguments of a process are no place for a secret."""
    options = {option.name for option in _command(name).params}
    of_runs = {each for each, setting in descriptions().items() if setting.group in WORKER_GROUPS}
    assert of_runs - options == {"secret", "models", "schema_registry_password"}


def test_module_and_command_do_the_same() -> None:
    """Usage has the same program name."""
    from_module = tacit("replay", limits={"sys.dont_write_bytecode": True})
    assert from_module.stderr == tacit("replay").stderr
    assert from_module.stderr.startswith("Usage: tacit replay [OPTIONS] SOURCE...\n")


def test_version_names_both_distributions_python_and_the_form_of_the_core() -> None:
    """One line, for reports of problems."""
    done = tacit("--version")
    assert done.stdout.startswith("tacit-worker 0.1.0, tacit-signals 0.1.0, Python 3.")
    assert done.stdout.endswith(f", core {'compiled' if COMPILED else 'uncompiled'}\n")
    assert done.returncode == 0


def test_shell_completion_knows_the_commands() -> None:
    """Completion of a name; `tacit --show-completion` prints the script that asks."""
    done = tacit("", _TACIT_COMPLETE="complete_bash", COMP_WORDS="tacit re", COMP_CWORD="1")
    assert done.stdout.split() == ["replay", "rebuild", "rejects", "redis"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["replay"], "Missing argument 'SOURCE'"),
        (["show"], "Missing argument 'USER'"),
        (["replay", "a.jsonl", "--bogus"], "No such option: --bogus"),
        (["replay", "a.jsonl", "--shards", "many"], "shards: must be a whole number from 1 to 256"),
        (["relay"], "No such command 'relay'. Did you mean 'replay'"),
        (["simulate"], "Missing option '--out'"),
        (["simulate", "--out", "x.jsonl", "--users", "0"], "users: 0"),
        (["simulate", "--out", "x.jsonl", "--topical", "1.5"], "topical: 1.5; must be a share from 0 to 1"),
        (["simulate", "--out", "x.jsonl", "--catalogue", "none.toml"], "catalogue none.toml: cannot be read"),
        (["simulate", "--out", "kafka://nowhere/x"], "'nowhere' is no HOST:PORT"),
        (["simulate", "--out", "x.csv"], "out: x.csv: the name of an event file must end in .jsonl, .jsonl.gz,"),
        (["run", "a.jsonl"], "source: there is no file a.jsonl; make an empty one, or correct the path"),
        (["replay", "."], "source: the folder . has no file with a name in .jsonl, .jsonl.gz, .jsonl.zst"),
        (["check", "--config", "none.toml"], "config: --config names none.toml, which is not a file"),
        (["state", "stats"], "state: is required; name the state folder by --state DIR"),
    ],
)
def test_wrong_usage_is_status_2(words: list[str], expected: str, tmp_path: Path) -> None:
    """As text, and as one JSON document; on stderr, without a traceback."""
    done = tacit(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert expected in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
    as_json = tacit(*words, "--json", cwd=tmp_path)
    assert (as_json.returncode, as_json.stdout) == (2, "")
    error = json.loads(as_json.stderr)["error"]
    assert error["kind"] in {"usage", "configuration", "catalogue"}
    assert expected.rstrip("'") in " ".join(error["problems"])


def test_failure_is_status_1(tmp_path: Path) -> None:
    """One line with the place and the remedy; as JSON, with the kind of the error."""
    words = ("simulate", "--out", "no/folder.jsonl", "--users", "5", "--turns", "10")
    expected = "no/folder.jsonl cannot be written: No such file or directory; make room, make the folder writable, or "
    expected += "give another path"
    done = tacit(*words, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"tacit: {expected}\n")
    as_json = tacit(*words, "--json", cwd=tmp_path)
    assert (as_json.returncode, as_json.stdout) == (1, "")
    assert json.loads(as_json.stderr) == {"error": {"kind": "sink", "problems": [expected]}}


def test_mistyped_variable_is_refused(tmp_path: Path) -> None:
    """The default in its place could write signals of one region into another."""
    done = tacit("redis", "acl", cwd=tmp_path, TACIT_REGOIN="us")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tacit: TACIT_REGOIN: is not a variable of Tacit; use TACIT_REGION, or unset it\n"


def test_file_of_settings_can_be_named(tmp_path: Path) -> None:
    """`--config` outranks the file of the working folder and the variable."""
    for name in ("default", "variable", "flag"):
        (tmp_path / f"{name}.toml").write_text(f'region = "{name}"\n')
    (tmp_path / "default.toml").rename(tmp_path / "tacit.toml")
    regions = []
    for words, variable in (((), ""), ((), "variable.toml"), (("--config", "flag.toml"), "variable.toml")):
        done = tacit("redis", "acl", *words, "--json", cwd=tmp_path, TACIT_CONFIG=variable)
        regions.append(json.loads(done.stdout)[-1]["rules"])
    assert ["default" in regions[0], "variable" in regions[1], "flag" in regions[2]] == [True, True, True]


def test_simulation_is_written_with_its_truth(tmp_path: Path) -> None:
    """The same seed and end give the same bytes; a name may have brackets."""
    contents = []
    for name in ("[a].jsonl", "[b].jsonl"):
        done = tacit("simulate", *SMALL, "--out", name, "--truth", f"truth-{name}", cwd=tmp_path)
        assert (done.returncode, done.stderr) == (0, "")
        assert f"events of 20 users in {name}; their true preferences in truth-{name}" in done.stdout
        contents.append((tmp_path / name).read_bytes() + (tmp_path / f"truth-{name}").read_bytes())
    assert contents[0] == contents[1]


def test_simulation_can_be_compressed(tmp_path: Path) -> None:
    """With gzip or zstd by the name of the file; the records are the same."""
    for name in ("a.jsonl", "a.jsonl.gz", "a.jsonl.zst"):
        assert tacit("simulate", *SMALL, "--out", name, "--quiet", cwd=tmp_path).stdout == ""
    plain = (tmp_path / "a.jsonl").read_bytes()
    assert gzip.decompress((tmp_path / "a.jsonl.gz").read_bytes()) == plain
    with zstandard.open(tmp_path / "a.jsonl.zst", "rb") as file:
        assert file.read() == plain


def test_folder_is_replayed_as_its_files_are(tmp_path: Path) -> None:
    """Compressed or not, by name."""
    (tmp_path / "history").mkdir()
    for number, ending in enumerate(("jsonl", "jsonl.gz", "jsonl.zst")):
        done = tacit("simulate", *SMALL, "--out", f"history/{number}.{ending}", "--json", cwd=tmp_path)
        assert done.returncode == 0
    events = json.loads(done.stdout)["events"]
    summary = tacit("replay", "history", "--embedded", "--json", cwd=tmp_path)
    assert json.loads(summary.stdout)["read"] == 3 * events


def test_embedded_replay_needs_no_setting_and_leaves_no_file(tmp_path: Path) -> None:
    """No Redis and no secret; the summary has the number of users with signals, as the Redis ends with the command."""
    write_history(tmp_path / "events.jsonl")
    done = tacit("replay", "events.jsonl", "--embedded", cwd=tmp_path, TACIT_SECRET="", TMPDIR=str(tmp_path))
    assert (done.returncode, done.stderr) == (0, "")
    rows = {line.split("  ")[0].strip(): line for line in done.stdout.splitlines()}
    assert "all accounted for" in rows["events read"]
    assert "namespace live" in rows["users with signals"]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "events.jsonl",
        "tacit-rejects.control.jsonl",
        "tacit-rejects.jsonl",
    ]


def test_replay_into_another_redis_does_not_scan_it(tmp_path: Path) -> None:
    """It may hold millions of keys."""
    write_history(tmp_path / "events.jsonl", users=5, turns=50)
    with redis_of_its_own() as (url, _):
        done = tacit("replay", "events.jsonl", "--redis", url, "--json", cwd=tmp_path)
    assert json.loads(done.stdout)["users_with_signals"] is None


def test_one_file_for_events_and_truth_is_refused(tmp_path: Path) -> None:
    """The truth would replace the events."""
    done = tacit("simulate", "--users", "3", "--turns", "3", "--out", "x.jsonl", "--truth", "x.jsonl", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr == "tacit: truth: x.jsonl is the file of the events, too; name another file\n"
    assert not (tmp_path / "x.jsonl").exists()


def test_output_without_utf_8_is_no_failure(tmp_path: Path) -> None:
    """A character that the terminal lacks becomes a question mark."""
    (tmp_path / "events.jsonl").write_bytes(b"{}\n")
    done = tacit("replay", "events.jsonl", "--embedded", cwd=tmp_path, PYTHONIOENCODING="ascii")
    assert (done.returncode, done.stderr) == (0, "")
    assert "?s/event" in done.stdout
