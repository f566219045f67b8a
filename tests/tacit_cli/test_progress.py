"""tacit_cli/progress: lines on stderr where there is no terminal."""

import json
from pathlib import Path

import pytest

from tests.support.commands import tacit
from tests.support.replays import redis_of_its_own, write_history, write_lines

OFTEN = {"tacit_cli.progress.LINE_EVERY_S": 0.2}


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file that a limited replay reads in some seconds."""
    folder = tmp_path_factory.mktemp("history")
    write_history(folder / "events.jsonl", turns=3_000)
    return write_lines(folder / "all.jsonl", [b"no event", *(folder / "events.jsonl").read_bytes().splitlines()])


def test_lines_have_rate_share_time_left_event_time_and_rejects(history: Path, tmp_path: Path) -> None:
    """They are on stderr, and stdout has the summary alone."""
    with redis_of_its_own() as (url, _):
        done = tacit("replay", str(history), "--redis", url, "--rate", "2000", cwd=tmp_path, limits=OFTEN)
    assert (done.returncode, "tacit: replay:" in done.stdout) == (0, False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("tacit: replay: ")]
    assert len(lines) >= 3
    for part in ("%, ", " events, ", "/s, ", " left, ", "event time 20", "rejected ", "not_json "):
        assert part in lines[-2], lines


@pytest.mark.parametrize("option", ["--json", "--log-json"])
def test_json_lines_have_the_same_figures(option: str, history: Path, tmp_path: Path) -> None:
    """Each line on stderr is one document."""
    with redis_of_its_own() as (url, _):
        done = tacit("replay", str(history), "--redis", url, "--rate", "2000", option, cwd=tmp_path, limits=OFTEN)
    found = [json.loads(line) for line in done.stderr.splitlines()]
    assert len(found) >= 3
    assert {line["event"] for line in found} == {"replay.progress"}
    assert found[-2]["rejected"]["not_json"] >= 1
    shares = [line["share"] for line in found]
    assert shares == sorted(shares)
    assert shares[0] < shares[-1] <= 1


def test_quiet_replay_shows_no_progress(history: Path, tmp_path: Path) -> None:
    """Nothing is printed without an error."""
    with redis_of_its_own() as (url, _):
        done = tacit("replay", str(history), "--redis", url, "--quiet", cwd=tmp_path, limits=OFTEN)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
