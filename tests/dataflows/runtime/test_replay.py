"""Replays from file to Redis: every record is counted, and the way of running does not change the signals."""

import gzip
import json
import signal
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import zstandard

from tests.support.commands import everything_in, running, tacit
from tests.support.factories import make_event
from tests.support.replays import accounted_for, left_by, now_ms, redis_of_its_own, replay, write_history, write_lines

MARKER = b"MARKER-7f3a"
SLOWLY = ("--checkpoint-every", "1", "--rate", "3000")
"""Options of a replay that a test stops before its end."""
BROKEN: dict[str, list[bytes]] = {
    "not_json": [
        b"",
        b"   ",
        b"\x00",
        b"{",
        b'{"schema":1,}',
        b"\xef\xbb\xbf" + json.dumps(make_event()).encode(),
        b"[" * 8_000 + b"]" * 8_000,
        b'{"a":' * 2_000 + b"1" + b"}" * 2_000,
        b'"\xff\xfe' + MARKER + b'"',
        b'{"user_id":"\\ud800' + MARKER + b'"}',
        b"{'user_id':'" + MARKER + b"'}",
    ],
    "invalid": [
        b"[]",
        b"null",
        b"1e999",
        b'{"at":NaN}',
        b'"' + MARKER + b'"',
        json.dumps(make_event(at=10**400)).encode(),
        json.dumps(make_event(at=1.5)).encode(),
        json.dumps(make_event(at=True)).encode(),
        json.dumps(make_event(user_id=MARKER.decode() + "\n")).encode(),
        json.dumps(make_event(type=MARKER.decode())).encode(),
        json.dumps(make_event() | {MARKER.decode(): 1}).encode(),
        json.dumps(make_event(feedback={"kind": "thumbs_up", MARKER.decode(): 1})).encode(),
    ],
    "too_large": [
        MARKER + b"x" * 1_000_000,
        json.dumps(make_event(item="x" * 20_000)).encode(),
    ],
    "unknown_schema": [json.dumps(make_event(schema=2)).encode(), json.dumps(make_event(schema="1")).encode()],
    "not_in_catalogue": [json.dumps(make_event(topic=MARKER.decode(), at=now_ms())).encode()],
    "wrong_region": [json.dumps(make_event(region="us", user_id=MARKER.decode())).encode()],
}
"""Rejected lines by reason; some have a marker that no reject may repeat."""


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file of a few thousand events."""
    path = tmp_path_factory.mktemp("history") / "events.jsonl"
    write_history(path)
    return path


@pytest.fixture(scope="module")
def expected(history: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return the content of Redis after an undisturbed replay."""
    summary, held = left_by(history, cwd=tmp_path_factory.mktemp("expected"))
    assert accounted_for(summary) == summary["read"] == len(history.read_bytes().splitlines())
    assert summary["signals"]["applied"] > 500
    return held


class Long(NamedTuple):
    """History long enough to interrupt its replay, and the content of Redis after it."""

    path: Path
    records: int
    left: dict[str, Any]


@pytest.fixture(scope="module")
def long(tmp_path_factory: pytest.TempPathFactory) -> Long:
    folder = tmp_path_factory.mktemp("long")
    records = write_history(folder / "long.jsonl", users=300, turns=15_000)
    return Long(folder / "long.jsonl", records, left_by(folder / "long.jsonl", cwd=folder)[1])


def test_each_broken_record_is_a_reject_and_none_stops_the_stream(tmp_path: Path) -> None:
    """Each reject has the reason and the position of its line, and none of its content."""
    lines = [line for reason in BROKEN.values() for line in reason]
    consent = make_event(type="consent", granted=True, at=now_ms() - 1000)
    good = [consent, make_event(event_id="e-2", at=now_ms())]
    path = write_lines(tmp_path / "broken.jsonl", [good[0], *lines, good[1]])
    summary, _ = left_by(path, cwd=tmp_path)
    expected = {reason: len(lines) for reason, lines in BROKEN.items()}
    assert summary["rejected"] == {**expected, "late": 0, "future": 0, "unreadable": 0}
    assert summary["accepted"] == len(good)
    assert accounted_for(summary) == summary["read"] == len(lines) + len(good)
    content = (tmp_path / "tacit-rejects.jsonl").read_bytes()
    rejects = [json.loads(line) for line in content.splitlines()]
    assert Counter(reject["reason"] for reject in rejects) == expected
    assert sorted(reject["origin"]["line"] for reject in rejects) == list(range(2, len(lines) + 2))
    assert MARKER not in content


@pytest.mark.parametrize("kind", ["gz", "zst"])
def test_compressed_files_give_the_same_bytes(
    kind: str, history: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    """Compression does not change the signals."""
    compress = gzip.compress if kind == "gz" else zstandard.compress
    path = tmp_path / f"events.jsonl.{kind}"
    path.write_bytes(compress(history.read_bytes()))
    assert left_by(path, cwd=tmp_path)[1] == expected


def test_two_processes_write_the_same_bytes_as_one(history: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    """The distribution of users does not change the signals, and each record is counted once."""
    summary, held = left_by(history, "--processes", 2, cwd=tmp_path)
    assert held == expected
    assert accounted_for(summary) == summary["read"] == len(history.read_bytes().splitlines())


def test_several_files_are_one_sequence(history: Path, expected: dict[str, Any], tmp_path: Path) -> None:
    """A history in several files gives the same signals."""
    lines = history.read_bytes().splitlines(keepends=True)
    parts = [lines[:7], lines[7:2000], [], lines[2000:]]
    paths = [tmp_path / f"part-{number}.jsonl" for number in range(len(parts))]
    for path, part in zip(paths, parts, strict=True):
        path.write_bytes(b"".join(part))
    assert left_by(*paths, cwd=tmp_path)[1] == expected


def test_second_replay_with_state_resumes_at_the_end_of_the_first(
    history: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    """A longer file is read from its earlier end; an unchanged file is not read again."""
    lines = history.read_bytes().splitlines(keepends=True)
    path = tmp_path / "growing.jsonl"
    read = []
    with redis_of_its_own() as (url, client):
        for end in (1000, len(lines), len(lines)):
            path.write_bytes(b"".join(lines[:end]))
            read.append(replay(url, path, "--state", tmp_path / "state", cwd=tmp_path)["read"])
        assert everything_in(client) == expected
    assert read == [1000, len(lines) - 1000, 0]


def test_repeated_history_does_not_change_the_live_namespace(history: Path, tmp_path: Path) -> None:
    """A replay writes only fields that are missing or older, and there are none."""
    with redis_of_its_own() as (url, client):
        replay(url, history, cwd=tmp_path)
        before = everything_in(client)
        again = replay(url, history, cwd=tmp_path)
        assert everything_in(client) == before
    assert again["signals"]["applied"] == 0
    assert again["signals"]["stale"] > 0


@pytest.mark.parametrize(
    ("how", "processes"),
    [(signal.SIGINT, "1"), (signal.SIGTERM, "1"), (signal.SIGTERM, "2"), (signal.SIGKILL, "1"), (signal.SIGKILL, "2")],
    ids=str,
)
def test_interrupted_replay_resumes_from_its_state(
    how: signal.Signals, processes: str, long: Long, tmp_path: Path
) -> None:
    """The stop is orderly, and after the next replay Redis has the content of an undisturbed one.

    Until then the namespace is not promoted.
    """
    words = [str(long.path), "--state", str(tmp_path / "state"), "--checkpoint-every", "1", "--processes", processes]
    with redis_of_its_own() as (url, client):
        with running(["replay", *words, "--redis", url], tmp_path / "log") as run:
            run.wait_for(lambda: client.dbsize() > 50, "the first signals")
            if how is signal.SIGKILL:
                run.kill()
            else:
                run.process.send_signal(how)
                assert run.process.wait(20) == (130 if how is signal.SIGINT else 0)
                assert run.output.endswith("tacit: replay: stopped before the end; the same command resumes there\n")
        refused = tacit("promote", "live", "--redis", url)
        assert (refused.returncode, "live holds a part of a history" in refused.stderr) == (2, True)
        rest = replay(url, *words, cwd=tmp_path)["read"]
        assert tacit("promote", "live", "--redis", url).returncode == 0
        assert 0 < rest < long.records or how is signal.SIGKILL
        assert everything_in(client) == long.left


def test_replay_that_resumes_in_another_redis_leaves_a_part(long: Long, tmp_path: Path) -> None:
    """The first part is in the other one; a rebuild from the state folder completes the namespace."""
    words = [str(long.path), "--state", str(tmp_path / "state"), "--namespace", "n"]
    with (
        redis_of_its_own() as (url, client),
        running(["replay", *words, *SLOWLY, "--redis", url], tmp_path / "log") as run,
    ):
        run.wait_for(lambda: list(tmp_path.glob("state/shards/*/c0*")) and client.dbsize() > 50, "a checkpoint")
        run.stop()
    with redis_of_its_own() as (url, _):
        for _ in range(2):
            replay(url, *words, cwd=tmp_path)
            refused = tacit("promote", "n", "--redis", url)
            assert (refused.returncode, "n holds a part of a history" in refused.stderr) == (2, True)
        assert tacit("rebuild", "--state", str(tmp_path / "state"), "--redis", url).returncode == 0
        assert tacit("promote", "n", "--redis", url).returncode == 0


def test_stdout_has_only_the_json_summary(history: Path, tmp_path: Path) -> None:
    """Logs go to stderr at every level."""
    with redis_of_its_own() as (url, _):
        done = tacit("replay", str(history), "--redis", url, "--json", cwd=tmp_path, TACIT_LOG_LEVEL="info")
    assert json.loads(done.stdout)["read"] > 0
    logged = [json.loads(line)["event"] for line in done.stderr.splitlines()]
    assert logged == ["worker.started", "worker.stopped"]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["missing.jsonl"], "tacit: missing.jsonl: there is no such file; check the path\n"),
        (["missing.jsonl", "--processes", "2"], "tacit: missing.jsonl: there is no such file; check the path\n"),
        (["here.csv"], "tacit: here.csv: not an event file; its name must end in .jsonl, .jsonl.gz, .jsonl.zst\n"),
        (["empty.jsonl", "--rejects", "no/such/folder.jsonl"], "tacit: rejects file no/such/folder.jsonl: cannot"),
    ],
)
def test_missing_source_or_sink_is_an_error_of_one_line(words: list[str], expected: str, tmp_path: Path) -> None:
    """The error names the file and the remedy; the status is 1, and stdout stays empty."""
    for name in ("here.csv", "empty.jsonl"):
        (tmp_path / name).touch()
    with redis_of_its_own() as (url, _):
        done = tacit("replay", *words, "--redis", url, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(expected)
    assert done.stderr.count("\n") == 1


def test_unreachable_redis_is_an_error_at_the_start(history: Path, tmp_path: Path) -> None:
    """The replay reads no record and does not retry."""
    done = tacit("replay", str(history), "--redis", f"unix://{tmp_path}/missing.sock", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == (
        f"tacit: Redis at {tmp_path}/missing.sock did not answer: the connection was refused or broke (CONNECTION); "
        "check the URL, its user and password, and the server\n"
    )
    assert not (tmp_path / "tacit-rejects.jsonl").exists()


def test_damaged_file_ends_the_replay_after_its_whole_lines(tmp_path: Path) -> None:
    """The lines before the damage count; the error names the line and the remedy."""
    write_history(tmp_path / "events.jsonl")
    whole = gzip.compress((tmp_path / "events.jsonl").read_bytes())
    (tmp_path / "cut.jsonl.gz").write_bytes(whole[: len(whole) // 2])
    with redis_of_its_own() as (url, client):
        done = tacit("replay", "cut.jsonl.gz", "--redis", url, cwd=tmp_path)
        assert client.dbsize() > 10
    assert done.returncode == 1
    assert "cut.jsonl.gz: is damaged or truncated in line" in done.stderr
    assert "replace the file by a whole copy" in done.stderr
    assert done.stderr.count("\n") == 1
