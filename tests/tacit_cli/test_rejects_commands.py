"""tacit_cli/rejects_commands: list, show and retry over files of rejects."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import tacit
from tests.support.factories import make_event
from tests.support.replays import now_ms, replay, write_lines

NOW = now_ms()
OLD_CATALOGUE = Path(__file__).parents[2] / "client/tacit/contract/catalogue.toml"


def interaction(number: int, **members: Any) -> dict[str, Any]:
    return make_event(event_id=f"e-{number}", user_id="ada", at=NOW - 60_000 + number, **members)


@pytest.fixture
def folder(redis_url: str, tmp_path: Path) -> Path:
    """Return a folder after a replay with rejects: a file of events, the rejects, and those of control events."""
    consent = {**make_event(type="consent", user_id="ada", at=NOW, event_id="c-1"), "granted": True, "scope": ["all"]}
    lines: list[Any] = [
        interaction(1),
        b"{",
        interaction(2, topic="gardening"),
        {**interaction(3), "at": "soon"},
        consent,
    ]
    write_lines(tmp_path / "events.jsonl", lines)
    summary = replay(redis_url, "events.jsonl", "--rejects", "rejects.jsonl", cwd=tmp_path)
    assert summary["rejected"]["not_in_catalogue"] == 1
    return tmp_path


def run(*words: str, cwd: Path, status: int = 0) -> Any:
    done = tacit("rejects", *words, "--rejects", "rejects.jsonl", "--json", cwd=cwd, TACIT_SECRET="")
    assert (done.returncode, done.stderr) == (status, "")
    return json.loads(done.stdout)


def with_topic(folder: Path) -> str:
    """Return the name of a catalogue with one more topic."""
    text = OLD_CATALOGUE.read_text().replace("[topics]\nvalues = [", '[topics]\nvalues = ["gardening", ', 1)
    assert "gardening" in text
    (folder / "newer.toml").write_text(text)
    return "newer.toml"


def test_list_has_control_events_first(folder: Path) -> None:
    found = run("list", cwd=folder)
    assert found["others"] == {"not_json": 1, "not_in_catalogue": 1, "invalid": 1}
    assert [each["control"] for each in found["rejects"]][:1] == ["consent"]
    assert [each["origin"] for each in found["rejects"]] == [f"events.jsonl:{line}" for line in (5, 4, 3, 2)]
    filtered = run("list", "--reason", "invalid", "--since", str(NOW), "--limit", "1", cwd=folder)
    assert (len(filtered["rejects"]), filtered["others"]) == (2, {"invalid": 1})
    assert run("list", "--since", "2100-01-01", cwd=folder)["rejects"] == []


def test_show_finds_the_record_without_its_content(folder: Path) -> None:
    """The content comes only when it is asked for."""
    found = run("show", "events.jsonl:3", cwd=folder)
    assert (found["found"], found["reason"]) == (True, "not_in_catalogue")
    assert "gardening" not in json.dumps(found)
    assert "content" not in found
    assert "gardening" in run("show", "events.jsonl:3", "--content", cwd=folder)["content"]
    (folder / "now").mkdir()
    (folder / "events.jsonl").rename(folder / "now/events.jsonl")
    assert run("show", "events.jsonl:3", "--look", "now", cwd=folder)["found"]
    (folder / "now/events.jsonl").write_text("{}\n" * 3)
    changed = run("show", "events.jsonl:3", "--look", "now", cwd=folder)
    assert changed["record"] == "the origin holds another record: its hash is not that of the reject"
    assert not run("show", "events.jsonl:4", "--look", "now", cwd=folder)["found"]


def test_newly_acceptable_record_is_fed_once(folder: Path) -> None:
    """After a change of the catalogue; a second retry skips it, and a replay accepts it."""
    words = ("retry", "--to", "late.jsonl", "--catalogue", with_topic(folder))
    dry = run(*words, "--dry-run", cwd=folder, status=1)
    assert (dry["outcomes"]["fed"], (folder / "late.jsonl").exists()) == (1, False)
    first = run(*words, cwd=folder, status=1)
    assert (first["outcomes"]["fed"], first["outcomes"]["rejected"]) == (1, 3)
    assert first["examples"]["rejected"][0]["origin"] == "events.jsonl:5"
    again = run(*words, cwd=folder, status=1)
    assert (again["outcomes"]["fed"], again["outcomes"]["retried"], again["outcomes"]["rejected"]) == (0, 1, 3)
    (line,) = (folder / "late.jsonl").read_bytes().splitlines()
    assert line == (folder / "events.jsonl").read_bytes().splitlines()[2]
    assert run("list", cwd=folder)["retried"] == 1
    assert run("show", "events.jsonl:3", cwd=folder)["retried"][0]["to"] == str(folder / "late.jsonl")
    assert run("retry", "events.jsonl:3", "--to", "late.jsonl", cwd=folder)["outcomes"]["retried"] == 1


def test_record_that_a_kill_feeds_again_is_a_duplicate(folder: Path, redis_url: str) -> None:
    """A kill between record and mark leaves no mark: the record is fed again, and its event id makes it a duplicate."""
    catalogue = with_topic(folder)
    consent = make_event(type="consent", user_id="ada", at=NOW - 60_000, event_id="c-2", granted=True)
    write_lines(folder / "late.jsonl", [consent])
    for _ in range(2):
        found = run("retry", "--to", "late.jsonl", "--catalogue", catalogue, cwd=folder, status=1)
        assert found["outcomes"]["fed"] == 1
        (folder / "rejects.jsonl.retried").unlink()
    summary = replay(redis_url, "late.jsonl", "--namespace", "again", "--catalogue", catalogue, cwd=folder)
    assert (summary["read"], summary["accepted"], summary["duplicate"]) == (3, 2, 1)


def test_repaired_records_are_fed(folder: Path) -> None:
    """A consent that was not plainly a yes for all scopes becomes a withdrawal only."""
    yes = make_event(type="consent", user_id="ada", at=NOW, event_id="c-1", granted=True)
    repairs = [
        {"origin": "events.jsonl:4", "event": interaction(3)},
        {"origin": "events.jsonl:5", "event": yes},
    ]
    write_lines(folder / "repaired.jsonl", repairs)
    found = run("retry", "--repaired", "repaired.jsonl", "--to", "late.jsonl", cwd=folder, status=1)
    assert (found["outcomes"]["fed"], found["outcomes"]["looser"]) == (1, 1)
    repairs[1]["event"] = {**yes, "granted": False}
    write_lines(folder / "repaired.jsonl", repairs)
    found = run("retry", "--repaired", "repaired.jsonl", "--to", "late.jsonl", cwd=folder)
    assert (found["outcomes"]["fed"], found["outcomes"]["retried"], found["controls"]) == (1, 1, 1)
    assert [json.loads(line)["event_id"] for line in (folder / "late.jsonl").read_text().splitlines()] == ["e-3", "c-1"]


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("show", "events.jsonl:1"), "origin: no reject has the origin events.jsonl:1; see tacit rejects list"),
        (("show", "events"), "origin: 'events' is no TOPIC/PARTITION/OFFSET and no FILE:LINE"),
        (("list", "--reason", "bad"), "reason: 'bad' is no reason; allowed are"),
        (("list", "--since", "soon"), "since: 'soon' is no time"),
        (("list", "--limit", "0"), "limit: 0 is no number of rejects"),
        (("retry",), "to: is required"),
        (("retry", "--to", "late.txt"), "to: late.txt is neither a topic nor a .jsonl file"),
        (("retry", "--to", "rejects.jsonl"), "rejects: rejects.jsonl is the file rejects.jsonl of the source"),
        (("retry", "a.jsonl:9", "--to", "late.jsonl"), "origin: no reject with such an origin: a.jsonl:9"),
        (("retry", "--repaired", "events.jsonl", "--to", "late.jsonl"), "repaired: events.jsonl, line 1: a line has"),
    ],
)
def test_wrong_use_is_a_sentence(folder: Path, words: tuple[str, ...], reason: str) -> None:
    done = tacit("rejects", *words, "--rejects", "rejects.jsonl", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert reason in done.stderr


def test_tables_name_no_user(folder: Path) -> None:
    for words in (("list",), ("show", "events.jsonl:5"), ("retry", "--to", "late.jsonl", "--dry-run")):
        done = tacit("rejects", *words, "--rejects", "rejects.jsonl", cwd=folder)
        assert done.stdout
        assert "ada" not in done.stdout + done.stderr
