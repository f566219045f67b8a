"""Hand-over from a replay to a live run: each event of the overlap counts once, also after kills."""

import json
import re
from bisect import bisect_left
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from dataflows.inspection import inspect
from state.catalogue.numbered import NumberedCatalogue
from state.row.layout import RECENT_EVENTS
from tests.support.commands import Running, everything_in, running, tacit
from tests.support.kafka_topics import Kafka
from tests.support.replays import redis_of_its_own, replay, write_history, write_lines

pytestmark = pytest.mark.kafka

HOUR_MS = 3_600_000
USERS = 3


class History(NamedTuple):
    """Events of three days, of users with more events in two hours than a user's state remembers ids of."""

    lines: list[bytes]
    times: list[int]

    def overlap(self, end_ms: int) -> int:
        """Return the number of events in the two hours before a time."""
        return bisect_left(self.times, end_ms) - bisect_left(self.times, end_ms - 2 * HOUR_MS)


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    path = tmp_path_factory.mktemp("history") / "events.jsonl"
    write_history(path, users=USERS, turns=12_000, days=3)
    timed = [
        (int(at[1]), line) for line in path.read_bytes().splitlines() if (at := re.search(rb'"at":(\d{13})', line))
    ]
    timed.sort()
    return History([line for _, line in timed], [at_ms for at_ms, _ in timed])


def learned(contents: dict[str, Any]) -> dict[str, Any]:
    """Return the signals of users without a wipe and without a "no": of others, lines of files have no record time."""
    return {
        key: fields
        for key, fields in contents.items()
        if key.endswith(":signals") and "_status" not in fields and "_epoch" not in fields
    }


def counts_of(folder: Path) -> dict[str, int]:
    """Return the number of accepted events of each user in the newest checkpoints."""
    checkpoints = inspect(folder, NumberedCatalogue.load()).checkpoints
    found: dict[str, int] = {}
    for shard in checkpoints.shards():
        with checkpoints.open(shard) as reading:
            found |= {user.hex(): state.seq for user, state in reading or ()}
    return found


def test_events_of_an_overlap_of_two_hours_count_once(kafka: Kafka, history: History, tmp_path: Path) -> None:
    """State and signals are those of one replay of all events, although the take-over and the run were killed."""
    seam_ms = max(history.times[len(history.times) // 2 :], key=history.overlap)
    assert history.overlap(seam_ms) > USERS * RECENT_EVENTS
    write_lines(tmp_path / "all.jsonl", history.lines)
    write_lines(tmp_path / "old.jsonl", history.lines[: bisect_left(history.times, seam_ms)])
    topic = kafka.create_topic()
    first = bisect_left(history.times, seam_ms - 2 * HOUR_MS)
    kafka.produce(topic, history.lines[first:], at_ms=history.times[first:])
    with redis_of_its_own() as (url, client):
        replay(url, "all.jsonl", "--namespace", "n", "--state", "all", cwd=tmp_path)
        expected = learned(everything_in(client))
    expected_counts = counts_of(tmp_path / "all")
    assert max(expected_counts.values()) > 640
    with redis_of_its_own() as (url, client):
        replay(url, "old.jsonl", "--namespace", "n", "--state", "old", cwd=tmp_path)
        words = [
            "run", f"kafka://{kafka.servers}/{topic}", "--from-replay", "old", "--state", "live",
            "--start", str(seam_ms - 2 * HOUR_MS), "--namespace", "n", "--redis", url, "--metrics", "off",
            "--checkpoint-every", "1",
        ]  # fmt: skip
        _kill_when(words, tmp_path, lambda: (tmp_path / "live" / "recovery").exists())
        _kill_when(words, tmp_path, lambda: (tmp_path / "live" / "tacit.json").exists())
        with running(words, tmp_path / "log") as run:
            run.wait_for(lambda: learned(everything_in(client)) == expected, "the signals of the whole history")
            assert run.stop() == 0, run.output
    assert counts_of(tmp_path / "live") == expected_counts
    assert counts_of(tmp_path / "old") != expected_counts


def test_replay_of_the_same_topic_hands_over_at_its_offsets(kafka: Kafka, history: History, tmp_path: Path) -> None:
    """The live run reads the records behind the replay's end, and no other; a start would be ambiguous."""
    topic = kafka.create_topic(partitions=2)
    address = f"kafka://{kafka.servers}/{topic}"
    half = len(history.lines) // 2
    kafka.produce(topic, history.lines[:half], at_ms=history.times[:half])
    with redis_of_its_own() as (url, client):
        replay(url, address, "--state", "old", cwd=tmp_path)
        kafka.produce(topic, history.lines[half:], at_ms=history.times[half:])
        words = ["run", address, "--from-replay", "old", "--state", "live", "--redis", url, "--metrics", "off"]
        refused = tacit(*words, "--start", "earliest", cwd=tmp_path)
        assert (refused.returncode, "knows its offsets; leave --start out" in refused.stderr) == (2, True)
        with running(words, tmp_path / "log") as run:
            count = sum(counts_of(tmp_path / "old").values())
            run.wait_for(lambda: b"worker.started" in (tmp_path / "log").read_bytes(), "the start")
            expected = _signals_of_all(address, tmp_path)
            run.wait_for(lambda: learned(everything_in(client)) == expected, "the signals of the whole topic")
            assert run.stop() == 0, run.output
        records = [json.loads(line) for line in run.output.splitlines() if '"worker.stopped"' in line]
        assert [each["records"] for each in records] == [len(history.lines) - half]
    assert sum(counts_of(tmp_path / "live").values()) > count


def test_hand_over_that_does_not_fit_is_refused(kafka: Kafka, history: History, tmp_path: Path) -> None:
    """Each error is one sentence with the way out, and changes nothing."""
    topic = kafka.create_topic()
    write_lines(tmp_path / "old.jsonl", history.lines[:100])
    with redis_of_its_own() as (url, _):
        replay(url, "old.jsonl", "--state", "old", cwd=tmp_path)
        (tmp_path / "other").mkdir()
        replay(url, "old.jsonl", "--state", "other/state", cwd=tmp_path)
        address = f"kafka://{kafka.servers}/{topic}"
        run = ["run", address, "--redis", url, "--metrics", "off"]
        late = str(history.times[99] + HOUR_MS)
        for more, problem in [
            (["--from-replay", "old"], "from_replay: needs --state DIR"),
            (["--from-replay", "old", "--state", "old"], "is the folder of --state"),
            (["--from-replay", "old", "--state", "other/state"], "has a state that is not from old"),
            (["--from-replay", "gone", "--state", "live"], "gone is no state folder"),
            (["--from-replay", "old", "--state", "live", "--start", late], "is after the newest event of the history"),
            (["--from-replay", "old", "--state", "live", "--start", "offset:0"], "use a time"),
            (["--from-replay", "old", "--state", "live", "--shards", "8"], "shards 16, not 8"),
        ]:
            done = tacit(*run, *more, cwd=tmp_path)
            assert (done.returncode in {1, 2}, problem in done.stderr) == (True, True), done.stderr
        (tmp_path / "old.jsonl").write_bytes(b"{}\n" * 100)
        done = tacit(*run, "--from-replay", "old", "--state", "live", cwd=tmp_path)
        assert "the hand-over reads the history of old once more; put the file back" in done.stderr
        (tmp_path / "old.jsonl").write_bytes(b"\n".join(history.lines[:100]) + b"\n")
        kafka.produce(topic, history.lines[100:110], at_ms=history.times[100:110])
        kafka.delete_before(topic, 0, 5)
        done = tacit(*run, "--from-replay", "old", "--state", "live", cwd=tmp_path)
        assert "Kafka has deleted the records up to the newest event of the history" in done.stderr
    assert not (tmp_path / "live" / "tacit.json").exists()


def _kill_when(words: list[str], folder: Path, condition: Callable[[], bool]) -> None:
    with running(words, folder / "log") as run:
        _wait(run, condition)
        run.kill()


def _wait(run: Running, condition: Callable[[], bool]) -> None:
    run.wait_for(condition, "a moment to kill")


def _signals_of_all(address: str, folder: Path) -> dict[str, Any]:
    with redis_of_its_own() as (url, client):
        replay(url, address, cwd=folder)
        return learned(everything_in(client))
