"""tacit_cli/diff_command: `tacit diff`, with a status for a difference and one for a failure."""

import json
import re
from contextlib import closing
from pathlib import Path

import pytest

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from tests.support.commands import tacit
from tests.support.pages import ROOT
from tests.support.ports import free_port
from tests.support.replays import replay, write_history
from tests.support.sample_signals import NOW_MS, signal, write


@pytest.fixture
def three(redis_url: str) -> str:
    """Return a Redis with equal signals in `live` and `copy`, and others in `shadow`."""
    for namespace, value in (("live", "concise"), ("copy", "concise"), ("shadow", "detailed")):
        with closing(SignalWriter(Target(redis_url, "eu", namespace), SinkCounters())) as writer:
            writer.write([write(("length", signal(value, NOW_MS)))])
    return redis_url


def output(*words: str, url: str, cwd: Path, status: int) -> str:
    done = tacit("diff", *words, "--redis", url, cwd=cwd, TACIT_SECRET="")
    assert (done.returncode, done.stderr) == (status, "")
    return done.stdout


def test_difference_has_status_1(three: str, tmp_path: Path) -> None:
    """As text and as JSON."""
    table = output("live", "shadow", url=three, cwd=tmp_path, status=1).splitlines()
    assert table[0].split() == ["users", "in", "both", "1"]
    assert [line.split()[:4] for line in table if line.startswith("length")] == [["length", "1", "0", "1"]]
    assert table[-1].split() == ["unexplained", "1"]
    found = json.loads(output("live", "shadow", "--json", url=three, cwd=tmp_path, status=1))
    assert (found["both"], found["facets"]["length"]["value"], found["causes"]) == (1, 1, {"unexplained": 1})


def test_equal_namespaces_have_status_0(three: str, tmp_path: Path) -> None:
    assert output("live", "copy", "--quiet", url=three, cwd=tmp_path, status=0) == ""
    found = json.loads(output("live", "copy", "--sample", "9", "--json", url=three, cwd=tmp_path, status=0))
    assert (found["sample"], found["same"], found["identical"], found["differs"]) == (9, 1, 1, False)


def test_two_replays_differ_by_the_change_alone(redis_url: str, tmp_path: Path) -> None:
    """In nothing without a change, and by a new version of the catalogue where that is the change."""
    write_history(tmp_path / "events.jsonl", users=20, turns=600)
    text = (ROOT / "client/tacit/contract/catalogue.toml").read_text()
    newer = re.sub(r"^version = (\d+)", lambda found: f"version = {int(found[1]) + 1}", text, flags=re.MULTILINE)
    assert newer != text
    (tmp_path / "newer.toml").write_text(newer.replace('"concise", "balanced"', '"balanced", "concise"'))
    for namespace, words in (("one", ()), ("two", ()), ("new", ("--catalogue", "newer.toml"))):
        replay(redis_url, "events.jsonl", "--namespace", namespace, *words, cwd=tmp_path)
    same = json.loads(output("one", "two", "--json", url=redis_url, cwd=tmp_path, status=0))
    assert (same["both"], same["identical"], same["causes"]) == (same["same"], same["both"], {})
    found = json.loads(output("one", "new", "--json", url=redis_url, cwd=tmp_path, status=1))
    assert found["causes"].pop("catalogue") > 0
    assert set(found["causes"]) <= {"pin"}


def test_history_that_was_read_in_several_goes_is_the_cause(redis_url: str, tmp_path: Path) -> None:
    """The end of the first go ended a round early; a replay in one go into a new namespace differs in nothing."""
    write_history(tmp_path / "events.jsonl", users=150, turns=6_000)
    lines = (tmp_path / "events.jsonl").read_bytes().splitlines(keepends=True)
    grown, state = tmp_path / "grown.jsonl", ("--state", tmp_path / "state")
    learn = ("--population", "learn", "--namespace")
    replay(redis_url, "events.jsonl", *learn, "one", cwd=tmp_path)
    for end in (4_100, len(lines)):
        grown.write_bytes(b"".join(lines[:end]))
        replay(redis_url, grown, *learn, "several", *state, cwd=tmp_path)
    found = json.loads(output("one", "several", "--json", url=redis_url, cwd=tmp_path, status=1))
    assert found["in_several_goes"] == ["several"]
    assert found["causes"].pop("goes") > 0
    assert set(found["causes"]) <= {"pin"}
    table = output("several", "one", url=redis_url, cwd=tmp_path, status=1)
    assert "a history that was read in several goes" in table
    replay(redis_url, grown, *learn, "again", cwd=tmp_path)
    again = json.loads(output("one", "again", "--json", url=redis_url, cwd=tmp_path, status=0))
    assert again["in_several_goes"] == []


def test_rebuild_is_the_cause(redis_url: str, tmp_path: Path) -> None:
    """All users have decisions of the newest population version, also where the rebuild adds to the namespace."""
    write_history(tmp_path / "events.jsonl", users=150, turns=6_000)
    learn = ("--population", "learn", "--state")
    for namespace in ("one", "two", "live"):
        replay(redis_url, "events.jsonl", *learn, namespace, "--namespace", namespace, cwd=tmp_path)
    for namespace in ("two", "live"):
        words = ("rebuild", "--state", namespace, "--redis", redis_url)
        assert tacit(*words, cwd=tmp_path, TACIT_POPULATION="learn").returncode == 0
        found = json.loads(output("one", namespace, "--json", url=redis_url, cwd=tmp_path, status=1))
        assert found["rebuilt"] == [namespace]
        assert found["causes"].pop("rebuilt") > 0
        assert set(found["causes"]) <= {"pin"}
    assert "a rebuild, which decides by" in output("two", "one", url=redis_url, cwd=tmp_path, status=1)


@pytest.mark.parametrize(
    ("words", "reasons"),
    [
        (("live", "shadwo"), ["namespace: shadwo was never written in region eu; allowed are copy, live, shadow"]),
        (("shadwo", "live"), ["namespace: shadwo was never written in region eu; allowed are copy, live, shadow"]),
        (("live", "live"), ["namespace: live is compared with itself; name two namespaces"]),
        (
            ("live", "copy", "--sample", "0", "--tolerance", "2"),
            [
                "sample: 0 is no number of users; use 1 or more",
                "tolerance: 2 is no difference of confidence; use 0 to 1",
            ],
        ),
    ],
)
def test_wrong_use_has_status_2(three: str, words: tuple[str, ...], reasons: list[str], tmp_path: Path) -> None:
    done = tacit("diff", *words, "--redis", three, "--json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert json.loads(done.stderr) == {"error": {"kind": "configuration", "problems": reasons}}


def test_silent_redis_has_status_2(tmp_path: Path) -> None:
    """A script distinguishes "differ" from "failed"; the error names no password."""
    address = f"127.0.0.1:{free_port()}"
    limits = {"tacit_cli.namespaces.COMMAND_RETRY_FOR_S": 0.1}
    done = tacit("diff", "live", "shadow", "--redis", f"redis://ada:hush@{address}", cwd=tmp_path, limits=limits)
    assert (done.returncode, done.stdout) == (2, "")
    problem = f"Redis at {address} did not answer within 0.1 s: the connection was refused or broke (CONNECTION)"
    assert done.stderr == f"tacit: {problem}; check the URL, the network and the server\n"
