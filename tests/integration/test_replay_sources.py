"""Sources and options of `tacit replay`, as commands: stdin, ranges and several topics, some users."""

import json
import signal
import subprocess
import zlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.commands import TACIT, environment, everything_in, tacit
from tests.support.conditions import eventually
from tests.support.kafka_topics import Kafka
from tests.support.replays import accounted_for, left_by, now_ms, redis_of_its_own, replay, write_history, write_lines

HOUR_MS = 3_600_000


@pytest.fixture
def history(tmp_path: Path) -> list[bytes]:
    """Write events.jsonl, and return its lines."""
    write_history(tmp_path / "events.jsonl", users=40, turns=1_500)
    return (tmp_path / "events.jsonl").read_bytes().splitlines()


def piped(data: bytes, *words: str, cwd: Path) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [TACIT, "replay", "-", *words], input=data, capture_output=True, cwd=cwd, env=environment(), check=False,
        timeout=120,
    )  # fmt: skip


def test_stdin_is_read_like_a_file(history: list[bytes], tmp_path: Path) -> None:
    """Also compressed, without a name to show it; a state folder is refused, as stdin cannot be read again."""
    data = zlib.compress(b"\n".join(history), wbits=31)
    with redis_of_its_own() as (url, client):
        done = piped(data, "--redis", url, "--json", cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        held = everything_in(client)
    assert held == left_by("events.jsonl", cwd=tmp_path)[1]
    refused = piped(b"", "--embedded", "--state", "s", cwd=tmp_path)
    assert (refused.returncode, b"stdin cannot be read again" in refused.stderr) == (2, True)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_stop_before_the_first_byte_of_stdin_is_orderly(number: signal.Signals, status: int, tmp_path: Path) -> None:
    """A pipe may be silent from its start on."""
    words: list[str | Path] = [TACIT, "replay", "-", "--embedded", "--json", "--log-level", "info", "--log-file", "log"]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=tmp_path, env=environment()
    ) as run:
        eventually(lambda: _has(tmp_path / "log", "worker.started"), within_s=30, what="the start")
        run.send_signal(number)
        assert run.wait(20) == status
        assert run.stdout is not None
        assert run.stderr is not None
        assert (json.loads(run.stdout.read())["stopped"], b"Traceback" in run.stderr.read()) == (True, False)


def _has(path: Path, text: str) -> bool:
    return path.exists() and text in path.read_text()


def test_unfinished_last_line_is_read_by_the_run_that_finds_it_whole(history: list[bytes], tmp_path: Path) -> None:
    """It is counted as held back, and neither read nor rejected before."""
    text = b"\n".join(history[:50])
    (tmp_path / "growing.jsonl").write_bytes(text[:-40])
    with redis_of_its_own() as (url, client):
        first = replay(url, "growing.jsonl", "--state", "s", cwd=tmp_path)
        assert (first["read"], first["held_back"]) == (49, 1)
        (tmp_path / "growing.jsonl").write_bytes(text)
        second = replay(url, "growing.jsonl", "--state", "s", cwd=tmp_path)
        assert (second["read"], second["held_back"]) == (1, 0)
        (tmp_path / "growing.jsonl").write_bytes(text + b"\n" + history[50] + b"\n")
        assert replay(url, "growing.jsonl", "--state", "s", cwd=tmp_path)["read"] == 1
        held = everything_in(client)
    write_lines(tmp_path / "whole.jsonl", history[:51])
    assert held == left_by("whole.jsonl", cwd=tmp_path)[1]


def test_some_users_have_the_signals_and_gates_of_a_whole_replay(history: list[bytes], tmp_path: Path) -> None:
    """Redis holds nothing of other users, and no output has a user id."""
    whole = left_by("events.jsonl", cwd=tmp_path)[1]
    (tmp_path / "users").write_text("user-000001\nuser-000002\nuser-000003\nabsent\n")
    with redis_of_its_own() as (url, client):
        summary = replay(url, "events.jsonl", "--users", "users", "--state", "s", cwd=tmp_path)
        held = {key: fields for key, fields in everything_in(client).items() if key in whole or ":{" in key}
        other = tacit("replay", "events.jsonl", "--redis", url, "--state", "s", cwd=tmp_path)
    assert accounted_for(summary) + summary["skipped"] == summary["read"] == len(history)
    users = [key for key in held if key.endswith((":signals", ":gate"))]
    assert 3 <= len(users) <= 6
    assert all(held[key] == whole[key] for key in users)
    assert (other.returncode, "the replay was of other users" in other.stderr) == (1, True)
    assert b"user-00000" not in (tmp_path / "s" / "inputs.json").read_bytes()


@pytest.mark.parametrize(
    ("words", "status", "problem"),
    [
        (["gone.jsonl"], 1, "gone.jsonl: there is no such file; check the path"),
        (["gone-*.jsonl"], 2, "the pattern gone-*.jsonl has no file"),
        (["events.jsonl", "kafka://localhost:9/t"], 2, "use topics, or files and folders"),
        (["events.jsonl", "--start", "latest"], 2, "start: belongs to tacit run; a replay takes --from and --to"),
        (["events.jsonl", "--from", "2026-11-21T10:00"], 2, "has no zone"),
        (["events.jsonl", "--from", "offset:3"], 2, "an offset, which needs a single topic"),
        (["events.jsonl", "--from", "2026-11-21", "--to", "2026-11-20"], 2, "so the range is empty"),
        (["events.jsonl", "--from", "latest"], 2, "from: latest is not before the end of the history"),
        (
            ["events.jsonl", "--group", "g"],
            2,
            "group: belongs to tacit run, as a replay commits no offsets; leave it out",
        ),
        (["kafka://localhost:9/t", "--group", "g"], 2, "group: belongs to tacit run"),
        (["kafka://localhost:9/t", "--tracing", "http://localhost:4318"], 2, "tracing: belongs to tacit run"),
        (["events.jsonl", "--on-gap", "continue"], 2, "on_gap: is about topics, and the source is files; leave it out"),
        (["-", "--on-gap", "stop"], 2, "on_gap: is about topics"),
        (
            ["kafka://localhost:9/t", "--state", "s", "--add-files"],
            2,
            "add_files: needs --state DIR, which remembers files",
        ),
        (
            ["events.jsonl", "--state", "s", "--again", "--add-files"],
            2,
            "again: starts over with all files; leave --add",
        ),
        (["events.jsonl", "--again"], 2, "leave --again out"),
        (["events.jsonl", "--add-files"], 2, "add_files: needs --state DIR"),
        (["-", "--processes", "2"], 2, "stdin belongs to one process"),
        (["events.jsonl", "--users", "none"], 2, "users: none cannot be read"),
        (["events.jsonl", "--users", "events.jsonl", "--population", "learn"], 2, "population: learn needs all users"),
    ],
)
def test_source_or_option_that_does_not_apply_is_refused(
    words: list[str], status: int, problem: str, tmp_path: Path
) -> None:
    """One sentence names the option and the way out."""
    (tmp_path / "events.jsonl").write_bytes(b"")
    done = tacit("replay", *words, "--embedded", cwd=tmp_path)
    assert (done.returncode, problem in done.stderr) == (status, True), done.stderr
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("words", [(), ("--state", "s"), ("--processes", "2"), ("--dry-run",)], ids=str)
def test_range_of_files_without_an_interaction_is_an_error(
    words: tuple[str, ...], history: list[bytes], tmp_path: Path
) -> None:
    """One sentence has the times of the interactions; control events have counted, as they do at any time."""
    with redis_of_its_own() as (url, client):
        command = ("replay", "events.jsonl", "--redis", url, *words)
        for _ in range(2):
            done = tacit(*command, "--from", "2035-01-01", "--to", "latest", cwd=tmp_path)
            assert done.returncode == 1
            problem = done.stderr.splitlines()[-1]  # a slow start shows progress before
            begin = "tacit: events.jsonl: no interaction from 2035-01-01 up to latest; theirs are from 20"
            assert problem.startswith(begin), done.stderr
            again = " and pass --again" if "--state" in words else ""
            assert problem.endswith(f"; choose another range{again}, or leave --from and --to out")
        fields = {str(field) for key in client.scan_iter("*:signals") for field in client.hkeys(key)}
        assert all(field.startswith("_") for field in fields)
        assert "a part of a history" not in tacit("promote", "live", "--redis", url, cwd=tmp_path).stderr
        done = tacit(*command, "--from", "2000-01-01", *(("--again",) if "--state" in words else ()), cwd=tmp_path)
        assert done.returncode == 0, done.stderr


def test_range_of_a_resumed_replay_may_end_before_its_last_part(history: list[bytes], tmp_path: Path) -> None:
    """The account covers the parts before; a further file without an interaction in the range is no error."""
    write_lines(tmp_path / "more.jsonl", [*history[:20], b"{"])
    end_ms = json.loads(history[-1])["at"] + 1
    words = ("--from", str(end_ms - 2 * HOUR_MS), "--state", "s")
    with redis_of_its_own() as (url, _):
        assert replay(url, "events.jsonl", *words, cwd=tmp_path)["accepted"] > 0
        replay(url, "events.jsonl", *words, cwd=tmp_path)
        assert replay(url, "events.jsonl", "more.jsonl", *words, "--add-files", cwd=tmp_path)["read"] == 21


def test_range_of_stdin_or_of_some_users_without_an_interaction_is_an_error(
    history: list[bytes], tmp_path: Path
) -> None:
    """So is any range of a history that has no interaction."""
    refused = piped(b"\n".join(history), "--embedded", "--to", "2001-01-01", cwd=tmp_path)
    assert (refused.returncode, b"no interaction from earliest up to 2001-01-01" in refused.stderr) == (1, True)
    refused = piped(b"", "--embedded", "--to", "2001-01-01", cwd=tmp_path)
    assert (refused.returncode, b"they have none at all" in refused.stderr) == (1, True)
    (tmp_path / "users").write_text("absent\n")
    words = ("--embedded", "--users", "users", "--from", "2001-01-01")
    done = tacit("replay", "events.jsonl", *words, cwd=tmp_path)
    assert (done.returncode, "no interaction of the users from 2001-01-01; they have none" in done.stderr) == (1, True)


@pytest.mark.kafka
def test_range_of_a_topic_is_read(kafka: Kafka, history: list[bytes], tmp_path: Path) -> None:
    """The end is excluded; a range without a record is one sentence, and a finished range reads nothing more."""
    topic, first_ms = kafka.create_topic(partitions=2), now_ms() - 12 * HOUR_MS
    for partition in (0, 1):
        times = [first_ms + n * HOUR_MS for n in range(10)]
        kafka.produce(topic, history[partition * 10 : partition * 10 + 10], partition=partition, at_ms=times)
    address = f"kafka://{kafka.servers}/{topic}"
    from_to = [
        (["--from", str(first_ms + 2 * HOUR_MS), "--to", str(first_ms + 5 * HOUR_MS)], 6),
        (["--from", "offset:8"], 4),
        (["--to", "offset:0:1,1:3"], 4),
        (["--from", "0:10,1:7", "--to", "latest"], 3),
        (["--to", datetime.fromtimestamp(first_ms / 1000 + 5400, UTC).isoformat()], 4),
    ]
    for words, count in from_to:
        assert left_by(address, *words, cwd=tmp_path)[0]["read"] == count, words
    with redis_of_its_own() as (url, _):
        words = ["--from", "offset:8", "--state", "s"]
        assert [replay(url, address, *words, cwd=tmp_path)["read"] for _ in range(2)] == [4, 0]
        for words, problem in [
            (["--from", str(first_ms + 99 * HOUR_MS)], "no record from"),
            (["--to", "offset:11"], "behind the end 10"),
            (["--to", "offset:0:4"], "names the partitions 0, and the topic has 0, 1"),
        ]:
            done = tacit("replay", address, *words, "--redis", url, cwd=tmp_path)
            assert (done.returncode in {1, 2}, problem in done.stderr) == (True, True), done.stderr
            assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.kafka
def test_several_topics_are_one_history_in_any_number_of_processes(
    kafka: Kafka, history: list[bytes], tmp_path: Path
) -> None:
    """Redis holds the bytes of a replay of one topic with all records, however they are spread."""
    one, topics = kafka.create_topic(), [kafka.create_topic(partitions=2), kafka.create_topic()]
    begin_ms = now_ms() - HOUR_MS
    times = [begin_ms + n for n in range(len(history))]  # within the topics' retention
    kafka.produce(one, history, at_ms=times)
    for place, (topic, partition) in enumerate([(topics[0], 0), (topics[0], 1), (topics[1], 0)]):
        kafka.produce(topic, history[place::3], partition=partition, at_ms=times[place::3])
    expected = left_by(f"kafka://{kafka.servers}/{one}", cwd=tmp_path)[1]
    addresses = [f"kafka://{kafka.servers}/{topic}" for topic in topics]
    for processes in (1, 2):
        summary, held = left_by(*addresses, "--processes", processes, "--state", f"s{processes}", cwd=tmp_path)
        assert summary["read"] == len(history)
        assert _differences(held, expected) == []
    done = tacit("replay", *reversed(addresses), "--embedded", "--state", "s1", cwd=tmp_path)
    assert (done.returncode, "made for source" in done.stderr) == (1, True)


def _differences(held: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    return [key for key in held.keys() | expected.keys() if held.get(key) != expected.get(key)]


def test_positions_of_a_report_are_json(history: list[bytes], tmp_path: Path) -> None:
    """The inputs that a state folder remembers are readable by other programs."""
    with redis_of_its_own() as (url, _):
        replay(url, "events.jsonl", "--state", "s", cwd=tmp_path)
    inputs = json.loads((tmp_path / "s" / "inputs.json").read_bytes())
    assert (inputs["finished"], inputs["files"][0]["lines"]) == (True, len(history))
