"""Live runs and their namespace: one run at a time, and none that starts without the state behind the signals."""

import json
import os
import shutil
import signal
from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.support.commands import Limits, Running, running, tacit
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.live_runs import Place
from tests.support.monitoring_client import get
from tests.support.ports import free_port
from tests.support.replays import redis_of_its_own

pytestmark = KAFKA_TEST

OWNER = "tacit:v1:eu:{live}:owner"
SHORT_LEASE: Limits = {
    "connectors.redis.ownership.LEASE_MS": 3_000,
    "connectors.redis.ownership.RENEW_MS": 1_000,
}


def _teach(place: Place) -> Place:
    """Run until there are signals and a checkpoint, then stop."""
    place.teach("ada")
    with running(place.words(), place.folder / "log") as run:
        place.wait_for_signals(run, 1)
        run.wait_for(lambda: list((place.folder / "state" / "shards").glob("*/c*")), "a checkpoint")
        assert run.stop() == 0
    return place


class Lesson(NamedTuple):
    """Place of a run that was stopped, and its Redis then: key → time to live and content."""

    place: Place
    saved: dict[str, tuple[int, Any]]


@pytest.fixture(scope="module")
def lesson(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lesson]:
    with redis_of_its_own() as (url, client):
        place = _teach(Place(kafka, url, client, tmp_path_factory.mktemp("lesson")))
        yield Lesson(place, {key: (max(client.pttl(key), 0), client.dump(key)) for key in client.scan_iter()})


@pytest.fixture
def taught(lesson: Lesson, tmp_path: Path) -> Place:
    """Return a place as a run left it; its topic is shared, so a test produces no record."""
    place = copy(lesson.place)
    place.folder = tmp_path
    shutil.copytree(lesson.place.folder / "state", tmp_path / "state")
    place.client.flushall()
    for key, (ttl_ms, content) in lesson.saved.items():
        place.client.restore(key, ttl_ms, content)
    return place


@pytest.fixture
def growing(kafka: Kafka, tmp_path: Path) -> Iterator[Place]:
    """Yield a place as a run left it, with a topic of its own."""
    with redis_of_its_own() as (url, client):
        yield _teach(Place(kafka, url, client, tmp_path))


@pytest.mark.parametrize("more", [("--state", "new"), ("--state", "new", "--start", "latest"), ()])
def test_run_without_the_state_of_the_signals_is_refused(taught: Place, more: tuple[str, ...]) -> None:
    """The error has the choices; Redis is unchanged, and `check` finds the same problem."""
    before = {key: taught.client.dump(key) for key in taught.signals()}
    for command in ("run", "check"):
        done = tacit(*taught.words(*more, command=command, state=""), cwd=taught.folder)
        assert done.returncode == 1
        text = " ".join((done.stderr if command == "run" else done.stdout).split())
        for part in ("namespace live has signals", "--start", "Restore the state folder", "replay", "--adopt"):
            assert part in text
    assert before == {key: taught.client.dump(key) for key in taught.signals()}


def test_run_adopts_a_namespace_after_a_warning(growing: Place) -> None:
    """The warning has counts; a later start needs no `--adopt`, and the earlier folder no longer fits."""
    for more in (("--adopt",), ()):
        with running(growing.words(*more, state="new"), growing.folder / "log") as run:
            _wait_for_start(run)
            if more:
                growing.teach("bob")
                growing.wait_for_signals(run, 2)
                run.wait_for(lambda: list((growing.folder / "new" / "shards").glob("*/c*")), "a checkpoint")
            assert run.stop() == 0
        warnings = _events(run, "namespace.adopted")
        assert [warning["redis_keys"] > 2 for warning in warnings] == [True] * len(more)
    done = tacit(*growing.words(), cwd=growing.folder)
    assert done.returncode == 1
    assert "come from another state folder" in done.stderr


def test_run_that_reads_the_history_by_start_is_allowed(growing: Place) -> None:
    """The operator chose to learn again."""
    growing.teach("bob")
    with running(growing.words("--start", "earliest", state="new"), growing.folder / "log") as run:
        growing.wait_for_signals(run, 2)
        assert run.stop() == 0


def test_another_secret_is_refused(taught: Place) -> None:
    """By `run`, by `check`, and by a replay; no output has a secret."""
    events = taught.folder / "events.jsonl"
    events.write_text("{}\n")
    target = taught.words()[taught.words().index("--redis") + 1]
    other = "another-secret-0123456789"
    for words in (
        taught.words(state="new"),
        taught.words(command="check", state="new"),
        ["replay", str(events), "--redis", target],
    ):
        done = tacit(*words, cwd=taught.folder, TACIT_SECRET=other)
        text = " ".join((done.stdout + done.stderr).split())
        assert done.returncode == 1
        assert "another secret" in text
        assert other not in text


def test_second_run_is_refused_with_the_holder(taught: Place) -> None:
    """From a copied folder, whose lock is another; by `check`, too, except for the folder of the run itself."""
    shutil.copytree(taught.folder / "state", taught.folder / "copy")
    with running(taught.words(), taught.folder / "log") as run:
        _wait_for_start(run)
        for command in ("run", "check"):
            done = tacit(*taught.words(command=command, state="copy"), cwd=taught.folder)
            text = " ".join((done.stdout + done.stderr).split())
            assert done.returncode == 1, text
            assert "is held by the run " in text
            assert f"(pid {run.process.pid}, 1 process) since 20" in text
        assert "another run uses the state folder" in tacit(*taught.words(), cwd=taught.folder).stderr
        own = tacit(*taught.words(command="check"), cwd=taught.folder)
        assert own.returncode == 0, own.stdout
        assert run.stop() == 0


@pytest.mark.parametrize("processes", ["1", "2"])
def test_killed_run_starts_again_at_once(taught: Place, processes: str) -> None:
    """Its process and its lock are gone, so its lease is void; a copied folder may take over as well."""
    for state in ("state", "state", "copy"):
        if state == "copy":
            shutil.copytree(taught.folder / "state", taught.folder / "copy")
        with running(taught.words("--processes", processes, state=state), taught.folder / "log") as run:
            _wait_for_start(run, int(processes))
            assert _events(run, "namespace.waiting") == []
            os.kill(run.process.pid, signal.SIGKILL)
            run.process.wait(20)


def test_lease_of_another_host_is_waited_for(taught: Place) -> None:
    """The other host may be dead: its lease ends. A renewal shows that it lives."""
    other = {"run": "0ther", "host": "db-1", "pid": 1, "processes": 1, "since_ms": 1_795_297_433_438, "boot": "x"}
    seconds, _ = taught.client.time()
    taught.client.hset(OWNER, mapping={"run": json.dumps(other), "until_ms": (seconds + 20) * 1000})
    with running(taught.words(), taught.folder / "log") as run:
        _wait_for_start(run)
        [waiting] = _events(run, "namespace.waiting")
        assert "the run 0ther on host db-1" in waiting["holder"]
        assert run.stop() == 0
    taught.client.hset(OWNER, mapping={"run": json.dumps(other), "until_ms": (seconds + 60) * 1000})
    with running(taught.words(), taught.folder / "log") as run:
        run.wait_for(lambda: "namespace.waiting" in run.output, "the wait")
        taught.client.hset(OWNER, "until_ms", (seconds + 90) * 1000)
        assert run.process.wait(20) == 1
        assert "is held by the run 0ther on host db-1" in run.output


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stop_request_ends_the_wait_for_a_lease(taught: Place, number: int) -> None:
    """In order, at once; /readyz has shown the holder."""
    other = {"run": "0ther", "host": "db-1", "pid": 1, "processes": 1, "since_ms": 1_795_297_433_438, "boot": "x"}
    seconds, _ = taught.client.time()
    taught.client.hset(OWNER, mapping={"run": json.dumps(other), "until_ms": (seconds + 600) * 1000})
    port = free_port()
    with running(taught.words("--metrics", f"127.0.0.1:{port}"), taught.folder / "log") as run:
        run.wait_for(lambda: "namespace.waiting" in run.output, "the wait")
        [reason] = json.loads(get(port, "/readyz")[1])["reasons"]
        assert reason["detail"].startswith("waits for the end of the lease of the run 0ther on host db-1")
        run.process.send_signal(number)
        assert run.process.wait(5) == 0
    assert "0ther" in str(taught.client.hget(OWNER, "run"))


def test_run_that_slept_past_its_lease_writes_nothing_more(growing: Place) -> None:
    """Another run took the namespace meanwhile."""
    shutil.copytree(growing.folder / "state", growing.folder / "copy")
    with running(growing.words(), growing.folder / "log", SHORT_LEASE) as first:
        growing.teach("eve")
        growing.wait_for_signals(first, 2)
        first.process.send_signal(signal.SIGSTOP)
        growing.client.hset(OWNER, "until_ms", 1)
        with running(growing.words(state="copy"), growing.folder / "log2", SHORT_LEASE) as second:
            _wait_for_start(second)
            assert second.stop() == 0
        growing.client.hset(OWNER, "run", "another run")
        growing.teach("bob")
        first.process.send_signal(signal.SIGCONT)
        assert first.process.wait(30) == 1
    assert "another run took namespace live" in first.output.splitlines()[-1]
    assert len(growing.signals()) == 2


def test_clock_of_a_host_does_not_decide_about_a_lease(growing: Place) -> None:
    """The run that slept has a clock far ahead: it does not take the namespace back from the run that took it."""
    shutil.copytree(growing.folder / "state", growing.folder / "copy")
    ahead = {**SHORT_LEASE, "dataflows.holder.time_ns": "lambda: 4_000_000_000_000_000_000"}
    with running(growing.words(), growing.folder / "log", ahead) as first:
        _wait_for_start(first)
        first.process.send_signal(signal.SIGSTOP)
        growing.client.hset(OWNER, "until_ms", 1)
        with running(growing.words(state="copy"), growing.folder / "log2", SHORT_LEASE) as second:
            _wait_for_start(second)
            first.process.send_signal(signal.SIGCONT)
            assert first.process.wait(30) == 1
            assert "another run took namespace live" in first.output.splitlines()[-1]
            growing.teach("bob")
            growing.wait_for_signals(second, 2)
            assert second.stop() == 0


def test_run_that_slept_past_its_lease_continues_where_no_other_run_came(growing: Place) -> None:
    """It takes the lease again before it writes."""
    with running(growing.words(), growing.folder / "log", SHORT_LEASE) as run:
        _wait_for_start(run)
        run.process.send_signal(signal.SIGSTOP)
        growing.client.hset(OWNER, "until_ms", 1)
        growing.teach("bob")
        run.process.send_signal(signal.SIGCONT)
        growing.wait_for_signals(run, 2)
        assert run.stop() == 0


def _wait_for_start(run: Running, processes: int = 1) -> None:
    run.wait_for(lambda: run.output.count("worker.started") == processes, "the start")


def _events(run: Running, name: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in run.output.splitlines() if line.startswith("{")]
    return [line for line in lines if line["event"] == name]
