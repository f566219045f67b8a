"""Live run that follows an event log: the same bytes in Redis as after a replay of the log, whatever happens."""

import json
import os
import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis

from connectors.files.appending import append_lines
from state.errors import SinkError
from tests.support.appending import appending
from tests.support.commands import Running, everything_in, running, tacit
from tests.support.monitoring_client import health, scrape
from tests.support.ports import free_port
from tests.support.replays import left_by, redis_of_its_own, write_history

NAMESPACE = "log"


class History(NamedTuple):
    """Lines of a history in two halves, and the content of Redis after its replay."""

    path: Path
    halves: tuple[list[bytes], list[bytes]]
    left: dict[str, Any]
    rejects: list[tuple[int, str, str]]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    """Simulate a history with rejects: a broken line, a line over 16 KiB and an empty one."""
    folder = tmp_path_factory.mktemp("history")
    path = folder / "history.jsonl"
    write_history(path, turns=2_000)
    lines = path.read_bytes().splitlines()
    middle = len(lines) // 2
    lines[middle:middle] = [b'{"schema":1,', b'"' + b"x" * 300_000 + b'"', b""]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    left = left_by(path, "--namespace", NAMESPACE, "--rejects", "rejects.jsonl", cwd=folder)[1]
    return History(path, (lines[:middle], lines[middle:]), left, _rejects(folder / "rejects.jsonl"))


class Follower:
    """Runs over one log with one Redis and one state folder."""

    def __init__(self, folder: Path, url: str, client: redis.Redis, history: History) -> None:
        self.log, self.port = folder / "events.jsonl", free_port()
        self.log.touch()
        self.client, self._folder, self._url, self._history = client, folder, url, history

    def words(self, *more: str) -> list[str]:
        """Return the command line, with a checkpoint interval of one second."""
        target = ["--redis", self._url, "--namespace", NAMESPACE, "--state", str(self._folder / "state")]
        places = ["--metrics", f"127.0.0.1:{self.port}", "--rejects", str(self.rejects)]
        return ["run", str(self.log), *target, *places, "--checkpoint-every", "1", *more]

    def check(self) -> int:
        """Return the exit status of `tacit check` over log, Redis and state folder."""
        target = ["--redis", self._url, "--namespace", NAMESPACE, "--state", str(self._folder / "state")]
        return tacit("check", str(self.log), *target).returncode

    @property
    def output(self) -> Path:
        return self._folder / "output"

    def wait_until_read(self, run: Running, lines: int) -> None:
        run.wait_for(lambda: self.metric("tacit_records_total") == lines, f"{lines} lines to be read")

    def wait_until_equal(self, run: Running) -> None:
        """Wait until Redis has the content of a replay of the whole history."""
        run.wait_for(lambda: everything_in(self.client) == self._history.left, "the bytes of a replay in Redis")

    def metric(self, name: str) -> float:
        return scrape(self.port).get(name, -1.0) if health(self.port) else -1.0

    @property
    def rejects(self) -> Path:
        return self._folder / "rejects.jsonl"


@pytest.fixture
def follower(tmp_path: Path, history: History) -> Iterator[Follower]:
    """Give a follower of an empty log."""
    with redis_of_its_own() as (url, client):
        yield Follower(tmp_path, url, client, history)


def _replace(log: Path) -> None:
    """Put a copy in the place of a log."""
    copy = log.with_name("copy.jsonl")
    copy.write_bytes(log.read_bytes())
    copy.rename(log)


@contextmanager
def full_disk(size: int) -> Iterator[None]:
    """Let writes of this process fail once a file has `size` bytes, as on a full disk."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def _rejects(path: Path) -> list[tuple[int, str, str]]:
    """Return line number, reason and checksum of each reject, in the order of the lines."""
    rejects = [json.loads(line) for line in path.read_bytes().splitlines()]
    return sorted((reject["origin"]["line"], reject["reason"], reject["sha256"]) for reject in rejects)


def _records(run: Running) -> list[int]:
    ends = [json.loads(line) for line in run.log.read_text().splitlines() if '"worker.stopped"' in line]
    return [int(end["records"]) for end in ends]


def test_followed_log_leaves_the_bytes_of_its_replay(follower: Follower, history: History) -> None:
    """Appended in two batches and by a foreign producer, resumed after SIGTERM; each line is read once."""
    first, second = history.halves
    with running(follower.words(), follower.output) as run:
        append_lines(follower.log, first)
        follower.wait_until_read(run, len(first))
        assert run.stop() == 0, run.output
    with running(follower.words(), follower.output) as run:
        with follower.log.open("ab") as log:  # a producer that neither locks nor writes whole lines
            data = b"".join(line + b"\n" for line in second)
            log.write(data[:1000])
            log.flush()
            log.write(data[1000:-3])
            log.flush()
            follower.wait_until_read(run, len(second) - 1)
            run.wait_for(
                lambda: (
                    follower.metric('tacit_source_lag_records{partition="events.jsonl"}') == 0
                    and follower.metric('tacit_source_lag_bytes{log="events.jsonl"}') == len(second[-1]) - 2
                ),
                "the lag of half a line",
            )
            log.write(data[-3:])
        follower.wait_until_equal(run)
        run.wait_for(
            lambda: follower.metric('tacit_source_lag_bytes{log="events.jsonl"}') == 0, "the log to be read to its end"
        )
        assert health(follower.port) == 200
        assert run.stop() == 0, run.output
    assert _records(run) == [len(first), len(second)]
    assert _rejects(follower.rejects) == history.rejects
    assert {line for line, *_ in history.rejects} >= {len(first) + 1, len(first) + 2, len(first) + 3}
    assert left_by(follower.log, "--namespace", NAMESPACE, cwd=follower.log.parent)[1] == history.left


def test_killed_run_and_killed_producers_lose_and_double_nothing(follower: Follower, history: History) -> None:
    """SIGKILL of the run three times, and of a producer within an append: the end is that of a replay of the log."""
    for _ in range(3):
        with appending(follower.log, history.path, 50) as producer, running(follower.words(), follower.output) as run:
            run.wait_for(lambda: follower.metric("tacit_records_total") > 200, "some lines to be read")
            producer.send_signal(signal.SIGKILL)
            run.kill()
    with follower.log.open("ab") as log:  # as a producer that was killed within a write
        log.write(history.halves[0][0][:40])
    append_lines(follower.log, history.halves[1])
    replayed = left_by(follower.log, "--namespace", NAMESPACE, cwd=follower.log.parent)[1]
    with running(follower.words(), follower.output) as run:
        run.wait_for(lambda: everything_in(follower.client) == replayed, "the bytes of a replay in Redis")
        assert run.stop() == 0, run.output


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda log: os.truncate(log, 1000), "has 1,000 bytes"),
        (lambda log: log.write_bytes(log.read_bytes().replace(b"user-", b"usex-")), "has other contents"),
        (lambda log: log.rename(log.with_name("earlier.jsonl")), "there is no file"),
    ],
    ids=["truncated", "rewritten", "gone"],
)
def test_log_that_changed_between_runs_is_an_error(
    change: Any, problem: str, follower: Follower, history: History
) -> None:
    """A run resumes only from a log that has all that was read."""
    append_lines(follower.log, history.halves[0])
    with running(follower.words(), follower.output) as run:
        follower.wait_until_read(run, len(history.halves[0]))
        assert run.stop() == 0, run.output
    assert follower.check() == 0
    change(follower.log)
    assert follower.check() == 1
    done = tacit(*follower.words())
    assert done.returncode in {1, 2}
    assert problem in done.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda log: os.truncate(log, 1000), "it was truncated"),
        (lambda log: log.rename(log.with_name("earlier.jsonl")), "is gone"),
        (_replace, "was replaced by another file"),
    ],
    ids=["truncated", "gone", "replaced"],
)
def test_log_that_changes_under_a_run_ends_it(change: Any, problem: str, follower: Follower, history: History) -> None:
    """The run ends with status 1 and the cause, and with no restart."""
    append_lines(follower.log, history.halves[0])
    with running(follower.words(), follower.output) as run:
        follower.wait_until_read(run, len(history.halves[0]))
        change(follower.log)
        assert run.process.wait(20) == 1
    assert problem in run.output.splitlines()[-1]
    assert "run.failed" not in run.output


def test_failed_append_leaves_no_line_behind(follower: Follower, history: History) -> None:
    """A producer whose disk is full takes its lines back; the run has read none of them, and continues."""
    first, second = history.halves
    append_lines(follower.log, first)
    size = follower.log.stat().st_size
    with running(follower.words(), follower.output) as run:
        follower.wait_until_read(run, len(first))
        for _ in range(20):
            with full_disk(size + 50_000), pytest.raises(SinkError, match="cannot be written"):
                append_lines(follower.log, second)
        append_lines(follower.log, second)
        follower.wait_until_equal(run)
        assert run.stop() == 0, run.output
    assert _records(run) == [len(first) + len(second)]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--group", "g"], "group: gets the offsets of a topic, and a log has none; leave it out"),
        (["--on-gap", "continue"], "on_gap: is about records that a topic lost"),
        (["--processes", "2"], "processes: one process reads a log"),
        (["--start", "latest"], "start: a log is read from its first line"),
        (["--checkpoints", "file:///tmp/cuts"], "checkpoints: keeps cuts for other hosts"),
        (["--hosts", "a:2101,b:2101"], "hosts: share the partitions of a topic"),
        (["--tracing", "http://127.0.0.1:4318"], "tracing: continues the traces in the headers"),
        (["--from-replay", "replayed"], "from_replay: needs a topic"),
    ],
    ids=lambda found: found[0] if isinstance(found, list) else "",
)
def test_option_that_needs_a_topic_is_refused(words: list[str], problem: str, follower: Follower) -> None:
    """Each is one line, before anything is written."""
    done = tacit(*follower.words(*words))
    assert done.returncode == 2
    assert problem in done.stderr
    assert not follower.client.keys()


def test_other_source_is_refused(follower: Follower, tmp_path: Path) -> None:
    """A compressed file cannot grow by lines, and several files are no log."""
    for source in ("events.jsonl.gz", "-", "missing.jsonl"):
        done = tacit("run", source, "--redis", "redis://127.0.0.1:1", cwd=tmp_path)
        assert done.returncode == 2
        assert "source: " in done.stderr


def test_run_over_an_empty_redis_is_ready_once_all_signals_are_back(follower: Follower, history: History) -> None:
    """As after each start of an embedded Redis: readers would get defaults before."""
    append_lines(follower.log, [*history.halves[0], *history.halves[1]])
    with running(follower.words(), follower.output) as run:
        follower.wait_until_equal(run)
        assert run.stop() == 0, run.output
    follower.client.flushall()
    with running(follower.words(), follower.output, {"dataflows.keeper.LOOK_EVERY_S": 2}) as run:
        run.wait_for(lambda: health(follower.port) == 200, "readiness")
        assert everything_in(follower.client).keys() == history.left.keys()
