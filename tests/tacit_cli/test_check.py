"""Check: all problems at once, each with a remedy."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from dataflows.job import Job, parse_source
from dataflows.settings import Settings
from dataflows.state_folder import locked
from tacit_cli.check import check_all
from tacit_cli.finding import Finding
from tests.support.commands import tacit
from tests.support.factories import CATALOGUE, CATALOGUE_FILE
from tests.support.ports import free_port
from tests.support.replays import redis_of_its_own, write_lines


@pytest.fixture
def server() -> Iterator[tuple[str, redis.Redis]]:
    """Give the URL of a Redis, and a client."""
    with redis_of_its_own() as found:
        yield found


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _settings(**settings: Any) -> Settings:
    return Settings(embedded=True, **settings)


def _check(source: str | None = None, **settings: Any) -> dict[str, Finding]:
    found = check_all(_settings(**settings), source)
    return {finding.what: finding for finding in found}


def test_finding_without_a_problem_has_a_detail(server: tuple[str, redis.Redis], folder: Path) -> None:
    """So that an operator sees a wrong but valid setting."""
    write_lines(folder / "events.jsonl", [b"{}"])
    findings = _check("events.jsonl", redis=server[0], state=folder / "new" / "state", catalogue=CATALOGUE_FILE)
    assert list(findings) == [
        "core",
        "catalogue",
        "redis",
        "rejects",
        "control rejects",
        "namespace",
        "state folder",
        "source",
        "outputs",
        "redis history",
    ]
    assert all(finding.ok for finding in findings.values())
    assert findings["catalogue"].detail.startswith("5 facets, 16 values, 10 topics (2 sensitive)")
    assert findings["redis"].detail == "answers, does not evict, takes writes for region eu"
    assert findings["rejects"].detail.startswith(f"{folder} is writable")
    assert findings["source"].detail == "events.jsonl, 0.0 MiB"
    assert sorted(path.name for path in folder.iterdir()) == ["events.jsonl"]
    assert server[1].dbsize() == 0


def test_redis_that_is_not_there_is_named(folder: Path) -> None:
    """By its address and the error, without the password of its URL."""
    finding = _check(redis="redis://ada:hush-hush@127.0.0.1:1")["redis"]
    assert not finding.ok
    assert finding.detail.startswith(
        "Redis at 127.0.0.1:1 did not answer: the connection was refused or broke (CONNECTION); check the URL"
    )
    assert "hush-hush" not in finding.detail


def test_redis_that_evicts_is_named(server: tuple[str, redis.Redis]) -> None:
    """It could lose consent."""
    server[1].config_set("maxmemory-policy", "allkeys-lru")
    finding = _check(redis=server[0])["redis"]
    assert not finding.ok
    assert "set maxmemory-policy noeviction" in finding.detail


@pytest.mark.parametrize(
    ("rejects", "expected"),
    [
        ("no/such/rejects.jsonl", "{folder}/no/such is not a folder; create it, or use another"),
        (".", "{folder} is a folder; use the path of a file"),
        ("/proc/rejects.jsonl", "/proc cannot be written: "),
    ],
)
def test_rejects_file_that_cannot_be_is_named(rejects: str, expected: str, folder: Path) -> None:
    """Before a run finds out."""
    finding = _check(rejects=rejects)["rejects"]
    assert not finding.ok
    assert finding.detail.startswith(expected.format(folder=folder))


@pytest.mark.parametrize("state", ["/proc/state", "/dev/null"])
def test_state_folder_that_cannot_be_is_named(state: str) -> None:
    """A file system without write access, and a path that is not a folder."""
    finding = _check(state=Path(state))["state folder"]
    assert not finding.ok
    assert "use another" in finding.detail


def test_state_folder_of_another_run_is_named(folder: Path) -> None:
    """The run itself fails for the same reason; without a source, the source of the folder is not compared."""
    identity = Job(_settings(region="us"), parse_source(["events.jsonl"]), bounded=True).identity
    with locked(folder / "state", identity, CATALOGUE):
        pass
    finding = _check(state=folder / "state")["state folder"]
    assert not finding.ok
    assert finding.detail == (f"{folder}/state was made for region 'us', not 'eu'; use that setting, or another folder")
    assert _check(state=folder / "state", region="us")["state folder"].ok


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("missing.jsonl", "missing.jsonl: there is no such file; check the path"),
        ("check.csv", "check.csv: not an event file; its name must end in .jsonl"),
        ("kafka://host/topic", "'host' is no HOST:PORT"),
    ],
)
def test_source_that_cannot_be_read_is_named(source: str, expected: str, folder: Path) -> None:
    """Files and addresses alike."""
    (folder / "check.csv").touch()
    finding = _check(source)["source"]
    assert not finding.ok
    assert finding.detail.startswith(expected)


def test_broker_that_is_not_there_is_named(server: tuple[str, redis.Redis], folder: Path) -> None:
    """For the source and for the rejects, and without a word of kafka-python's."""
    server_of_topics = f"kafka://127.0.0.1:{free_port()}"
    topics = (f"{server_of_topics}/events", "--rejects", f"{server_of_topics}/rejects")
    words = ("check", *topics, "--redis", server[0], "--json")
    done = tacit(*words, cwd=folder, limits={"connectors.kafka.client_options.CONNECT_MS": 300})
    assert (done.returncode, done.stderr) == (1, "")
    wrong = {finding["what"]: finding["detail"] for finding in json.loads(done.stdout) if not finding["ok"]}
    assert wrong.keys() == {"source", "rejects", "control rejects"}
    assert all("check the address, and that a broker listens there" in detail for detail in wrong.values())


def test_findings_are_printed_as_table_and_as_json(server: tuple[str, redis.Redis], folder: Path) -> None:
    """Status 0 without a problem, 1 with one; a name may have brackets."""
    well = tacit("check", "--redis", server[0], "--json", cwd=folder)
    assert (well.returncode, well.stderr) == (0, "")
    assert [finding["ok"] for finding in json.loads(well.stdout)] == 6 * [True]
    wrong = tacit("check", "[red]missing[/].jsonl", "--redis", server[0], cwd=folder, COLUMNS="200")
    assert (wrong.returncode, wrong.stderr) == (1, "")
    assert [line.split()[:2] for line in wrong.stdout.splitlines()] == [
        ["ok", "core"], ["ok", "catalogue"], ["ok", "redis"], ["ok", "rejects"], ["ok", "control"],
        ["ok", "namespace"], ["wrong", "source"], ["ok", "redis"],
    ]  # fmt: skip
    assert "the pattern [red]missing[/].jsonl has no file" in wrong.stdout


def test_quiet_check_prints_problems_only(server: tuple[str, redis.Redis], folder: Path) -> None:
    """Problems are on stderr; without a problem there is no output."""
    well = tacit("check", "--redis", server[0], "--quiet", cwd=folder)
    assert (well.returncode, well.stdout, well.stderr) == (0, "", "")
    wrong = tacit("check", "missing.jsonl", "--redis", server[0], "--quiet", cwd=folder)
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("tacit: source: missing.jsonl: there is no such file")


def test_invalid_settings_end_the_command_before_any_check(folder: Path) -> None:
    """Status 2, as for every command."""
    done = tacit("check", "--region", "EU", "--json", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert json.loads(done.stderr)["error"]["problems"] == ["region: must match [a-z0-9-]{2,16}"]


def test_challengers_are_checked_by_class_and_parameters(server: tuple[str, redis.Redis], folder: Path) -> None:
    """A class that River lacks, or a parameter that the class lacks, is a finding."""
    path = "river.linear_model.LogisticRegression"
    assert _check(redis=server[0], challenger=path)["challengers"].detail == f"{path}, on 10% of the users"
    missing = _check(redis=server[0], challenger="river.linear_model.Missing")["challengers"]
    assert (missing.ok, "River has no such class" in missing.detail) == (False, True)
    wrong = _check(redis=server[0], challenger=path, models={path: {"depth": 3}})["challengers"]
    assert "correct the parameters in [models]" in wrong.detail
