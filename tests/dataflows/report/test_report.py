"""Report of a replay: the whole of it, whatever interrupts a part."""

import gzip
import json
import signal
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis

from connectors.files.block_sums import BlockSums, checksum
from tests.support.commands import running, tacit
from tests.support.replays import redis_of_its_own, write_history, write_lines

WHOLE = ("counts", "rejects", "inputs", "oldest_event_ms", "newest_event_ms", "users")
"""Members that do not depend on interruptions and processes."""


class History(NamedTuple):
    """History long enough to interrupt its replay, and the report of an undisturbed one."""

    path: Path
    report: dict[str, Any]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("history")
    write_history(folder / "simulated.jsonl", users=300, turns=15_000)
    lines = (folder / "simulated.jsonl").read_bytes().splitlines()
    path = write_lines(folder / "events.jsonl", [b"no event", *lines])
    with redis_of_its_own() as (url, _):
        return History(path, _replay(url, folder, str(path)))


def _replay(url: str, folder: Path, *words: str) -> dict[str, Any]:
    """Run a replay to its end, and return the report."""
    done = tacit("replay", *words, "--redis", url, "--report", "report", "--quiet", cwd=folder)
    assert (done.returncode, done.stderr) == (0, "")
    assert (folder / "report.html").read_text().startswith("<!doctype html>")
    found: dict[str, Any] = json.loads((folder / "report.json").read_text())
    return found


def _adds_up(report: dict[str, Any]) -> bool:
    counts = report["counts"]
    parts = [*counts["outcomes"].values(), counts["rejected"], counts["control_rejected"], counts["unexplained"]]
    return bool(counts["read"] == sum(parts) and counts["unexplained"] == 0)


def test_report_explains_every_record(history: History) -> None:
    """The counts add up to the lines of the file, and rejects have their places."""
    report, lines = history.report, history.path.read_bytes().splitlines()
    assert _adds_up(report)
    assert report["counts"]["read"] == len(lines)
    [file] = report["inputs"]
    assert (file["name"], file["first"], file["last"]) == (str(history.path), 1, len(lines))
    assert file["bytes"] == history.path.stat().st_size
    assert file["checksum"] == checksum(BlockSums.of(history.path, file["bytes"]).sums)
    by_reason = {each["reason"]: each for each in report["rejects"]}
    assert by_reason["not_json"]["places"][0] == f"{history.path}:1"
    assert all(len(each["places"]) == min(5, each["count"]) for each in report["rejects"])
    assert report["result"] == report["parts"][-1]["result"] == "complete"
    assert report["cpu_us_per_record"] > 1
    assert report["changes"]["before"] == {}
    assert sum(sum(tiers.values()) for tiers in report["changes"]["after"].values()) > 100


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM], ids=lambda how: how.name)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_report_of_a_resumed_replay_is_that_of_an_undisturbed_one(
    processes: str, how: signal.Signals, history: History, tmp_path: Path
) -> None:
    """Counts, rejects with their places, inputs and times are equal; the parts show the interruption."""
    words = [str(history.path), "--state", "state", "--checkpoint-every", "1", "--processes", processes]
    with redis_of_its_own() as (url, client):
        with running(["replay", *words, "--redis", url, "--rate", "5000"], tmp_path / "log") as run:
            _wait_for_a_checkpoint(run, client, tmp_path)
            run.kill() if how is signal.SIGKILL else run.stop()
        report = _replay(url, tmp_path, *words)
    assert {name: report[name] for name in WHOLE} == {name: history.report[name] for name in WHOLE}
    results = [part["result"] for part in report["parts"]]
    assert results == ["killed" if how is signal.SIGKILL else "stopped", "complete"]
    assert report["parts"][1]["records"] < report["counts"]["read"]


def _wait_for_a_checkpoint(run: Any, client: redis.Redis, folder: Path) -> None:
    run.wait_for(
        lambda: client.dbsize() > 50 and len(list(folder.glob("state/shards/*/c0000000002-*"))) > 5,
        "signals and a second checkpoint",
    )


def test_report_of_a_resumed_replay_without_a_new_version_has_the_version_of_before(
    history: History, tmp_path: Path
) -> None:
    """The part that only repeats the end publishes none."""
    words = (str(history.path), "--state", "state", "--population", "learn")
    with redis_of_its_own() as (url, _):
        first, second = (_replay(url, tmp_path, *words)["model"] for _ in range(2))
    assert first["population_version"] > 1
    assert first["population_sha256"]
    assert second == first


def test_failed_replay_has_a_report_with_the_error(history: History, tmp_path: Path) -> None:
    """The report counts the records before the damage."""
    whole = gzip.compress(history.path.read_bytes())
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with redis_of_its_own() as (url, _):
        done = tacit("replay", "cut.jsonl.gz", "--redis", url, "--report", "r.html", "--quiet", cwd=tmp_path)
    assert done.returncode == 1
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["result"] == "failed"
    assert "is damaged or truncated in line" in report["parts"][-1]["error"]
    assert "is damaged or truncated in line" in (tmp_path / "r.html").read_text()


def test_report_of_a_folder_that_does_not_exist_is_an_error(history: History, tmp_path: Path) -> None:
    """The replay does not start."""
    with redis_of_its_own() as (url, client):
        done = tacit("replay", str(history.path), "--redis", url, "--report", "no/such/report", cwd=tmp_path)
        assert client.dbsize() == 0
    assert done.returncode == 2
    assert "report: the folder of no/such/report does not exist or is not writable" in done.stderr
