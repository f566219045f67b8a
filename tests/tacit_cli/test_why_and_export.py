"""`tacit why` and `tacit export`: on a state folder and a Redis, with an audit, and without a user id in any output."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tests.support.commands import SECRET, tacit
from tests.support.factories import make_event
from tests.support.histories import STORIES, events, make_state
from tests.support.replays import redis_of_its_own, replay, write_lines

SCHEMAS = Path(__file__).resolve().parents[2] / "docs" / "schema"
ADA = pseudonym_text(pseudonym("u:ada", SECRET.encode()))
OTHERS = [pseudonym_text(pseudonym(user, SECRET.encode())) for user in STORIES if user != "u:ada"]


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which `state` is what the stories leave."""
    folder = tmp_path_factory.mktemp("stories")
    make_state(folder)
    return folder


def run(cwd: Path, *words: str) -> str:
    """Return the output of a command that succeeds."""
    done = tacit(*words, "--state", "state", "--audit", "audit.jsonl", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def valid(name: str, text: str) -> dict[str, Any]:
    """Return a document that follows its published schema."""
    found: dict[str, Any] = json.loads(text)
    Draft202012Validator(json.loads((SCHEMAS / f"{name}.schema.json").read_text())).validate(found)
    return found


def lines(cwd: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (cwd / "audit.jsonl").read_text().splitlines()]


def test_why_explains_one_facet(cwd: Path) -> None:
    """The document follows the schema, and the text has sentences and numbers."""
    found = valid("why", run(cwd, "why", "u:ada", "length", "--json"))
    assert found["user"] == ADA
    (facet,) = found["facets"]
    assert (facet["served"]["value"], facet["served"]["source"]) == ("concise", "learned")
    assert facet["values"][0]["evidence_for"]["kinds"] == {"thumbs_up": 5}
    assert facet["without"][0]["prediction"]["value"] == "balanced"
    text = run(cwd, "why", "u:ada", "length")
    assert "Answer length: concise." in text
    assert "thumbs_up × 5" in text
    assert "u:ada" not in text


def test_why_explains_all_facets(cwd: Path) -> None:
    """A pin is the user's own setting."""
    found = valid("why", run(cwd, "why", "u:ada", "--json"))
    tone = next(facet for facet in found["facets"] if facet["facet"] == "tone")
    assert tone["served"] == {"value": "formal", "tier": "apply", "source": "user"}
    assert len(found["facets"]) == 5


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("why", "u:nobody"), "the newest checkpoint has no user of that id"),
        (("why", "u:ada", "mood"), "facet: 'mood' is not in the catalogue; allowed are length, format"),
    ],
)
def test_unknown_names_are_errors(cwd: Path, words: tuple[str, ...], text: str) -> None:
    """The error has no user id."""
    done = tacit(*words, "--state", "state", "--audit", "audit.jsonl", cwd=cwd)
    assert done.returncode in {1, 2}
    assert text in done.stderr
    assert "u:" not in done.stderr


def test_export_has_no_other_user(cwd: Path) -> None:
    """The document follows the schema; it has the pseudonym, and neither the id nor another user."""
    text = run(cwd, "export", "u:ada", "--json")
    found = valid("export", text)
    assert found["user"] == ADA
    assert found["pins"]["facets"]["tone"]["value"] == "formal"
    assert found["redis"] is None
    for absent in ("u:ada", *STORIES, *OTHERS):
        assert absent not in text
    assert valid("export", run(cwd, "export", "u:ada"))["user"] == ADA


def test_export_of_an_unknown_user_holds_nothing(cwd: Path) -> None:
    """Access is answered also where nothing is held."""
    found = valid("export", run(cwd, "export", "u:nobody", "--json"))
    assert [found[part] for part in ("checkpoint", "consent", "beliefs", "inferred")] == [None] * 4


def test_page_is_written_for_its_owner(cwd: Path) -> None:
    """The command names the file."""
    assert run(cwd, "export", "u:ada", "--html", "ada.html") == "the page is in ada.html\n"
    text = (cwd / "ada.html").read_text()
    assert ADA in text
    assert "u:ada" not in text
    assert (cwd / "ada.html").stat().st_mode & 0o777 == 0o600


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of a Redis with the stories in two namespaces."""
    folder = tmp_path_factory.mktemp("redis")
    with redis_of_its_own() as (url, client):
        history = write_lines(folder / "events.jsonl", events())
        for namespace in ("live", "next"):
            replay(url, history, "--namespace", namespace, cwd=folder)
        client.hset(f"tacit:v1:eu:next:{{{ADA}}}:signals", "_odd", "<b>no JSON</b>")
        yield url


def test_export_has_the_keys_of_redis(cwd: Path, redis_url: str) -> None:
    """Gate and signals of every namespace, with times to live; a foreign value is exported as text."""
    found = valid("export", run(cwd, "export", "u:ada", "--json", "--redis", redis_url))
    keys = {key["key"]: key for key in found["redis"]["keys"]}
    own = f"{{{ADA}}}"
    gate, history = f"tacit:v1:eu:{own}:gate", f"tacit:v1:eu:{own}:history"
    live, next_ = f"tacit:v1:eu:live:{own}:signals", f"tacit:v1:eu:next:{own}:signals"
    assert set(keys) == {gate, history, live, next_}
    assert keys[gate]["content"]["pins"]["tone"]["value"] == "formal"
    assert keys[gate]["content"]["learn"]["state"] == "granted"
    assert keys[live]["content"]["length"]["value"] == "concise"
    assert 0 < keys[live]["ttl_ms"] <= 30 * 86_400_000
    assert keys[next_]["content"]["_odd"] == "<b>no JSON</b>"


def test_both_commands_leave_a_line_in_the_audit(cwd: Path) -> None:
    """The line has pseudonym, action and outcome; a failure has a line, too."""
    before = len(lines(cwd)) if (cwd / "audit.jsonl").exists() else 0
    run(cwd, "why", "u:ada", "tone")
    run(cwd, "export", "u:ada")
    tacit("why", "u:nobody", "--state", "state", "--audit", "audit.jsonl", cwd=cwd)
    new = lines(cwd)[before:]
    assert [(line["action"], line["outcome"]) for line in new] == [
        ("why", "done"), ("export", "done"), ("why", "failed")
    ]  # fmt: skip
    assert [line["user"] for line in new[:2]] == [ADA, ADA]
    assert "u:" not in (cwd / "audit.jsonl").read_text()
    done = tacit("audit", "verify", "audit.jsonl", cwd=cwd)
    assert done.returncode == 0


def test_what_changes_a_value_changes_it_in_the_real_state(cwd: Path, tmp_path: Path) -> None:
    """As many events as `why` names, replayed after the history, make the named value."""
    (facet,) = valid("why", run(cwd, "why", "u:ada", "length", "--json"))["facets"]
    change = next(each for each in facet["changes"] if each["becomes"] != "concise")
    last_ms = max(event["at"] for event in events())
    feedback = {"kind": change["kind"]}
    more = [
        make_event(
            event_id=f"more-{n}", user_id="u:ada", at=last_ms + n, turn_id=f"more-{n}",
            served={"length": change["value"]}, feedback=feedback,
        )
        for n in range(change["pieces"])
    ]  # fmt: skip
    for number, expected in ((len(more) - 1, "concise"), (len(more), change["becomes"])):
        folder = tmp_path / str(number)
        folder.mkdir()
        with redis_of_its_own() as (url, _):
            history = write_lines(folder / "events.jsonl", [*events(), *more[:number]])
            replay(url, history, "--state", "state", "--namespace", "n", cwd=folder)
        (now,) = valid("why", run(folder, "why", "u:ada", "length", "--json"))["facets"]
        assert now["served"]["value"] == expected
