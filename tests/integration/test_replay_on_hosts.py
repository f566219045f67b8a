"""A replay on several hosts: the same bytes in Redis and in users' states as on one host, also after kills."""

import json
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import ANY

import pytest

from tests.integration import test_replay_rounds as rounds
from tests.integration.test_replay_rounds import LEARN, UNLIMITED, newest
from tests.support.commands import Limits, Running, everything_in, running, tacit
from tests.support.conditions import eventually
from tests.support.cuts import users_of
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.ports import free_port
from tests.support.replays import redis_of_its_own, replay, write_history

pytestmark = KAFKA_TEST

LIMITS: Limits = {
    "dataflows.hosts.cluster.BEAT_S": 0.1,
    "dataflows.hosts.cluster.SILENT_S": 2,
    "dataflows.hosts.cluster._SILENT_LOOKS": 50,
}
"""Hosts look at each other often, and a silent one counts as lost after five seconds."""
SLOWLY = ("--checkpoint-every", "1", "--rate", "3000")
COUNTS = ("read", "accepted", "duplicate", "unconsented", "before_wipe", "rejected", "users", "gates", "population")
"""Members of a summary that do not depend on batches and time."""


class Left(NamedTuple):
    """Results of a replay."""

    redis: Mapping[str, Any]
    """Content of Redis, apart from owners and hosts."""
    users: Mapping[bytes, bytes]
    """Packed states of all users."""


class History(NamedTuple):
    """Topic with a history, and the results of its replay on one host."""

    source: str
    left: Left
    summary: Mapping[str, Any]


@pytest.fixture(scope="module")
def history(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> History:
    """Four partitions of unequal length end in different rounds; all records of a user are in one."""
    folder = tmp_path_factory.mktemp("history")
    write_history(folder / "events.jsonl", users=150, turns=6_000, days=5)
    topic = kafka.create_topic(4, UNLIMITED)
    events = rounds.events_of(rounds.History(folder / "events.jsonl", {}))
    for number in range(4):
        rounds.produce(kafka, topic, [one for one in events if min(one.shard, 3) == number], partition=number)
    source = f"kafka://{kafka.servers}/{topic}"
    with redis_of_its_own() as (url, client):
        summary = replay(url, source, "--state", "state", *LEARN, cwd=folder)
        assert summary["population"]["version"] > 5
        return History(source, Left(everything_in(client), users_of(folder / "state")), summary)


class Hosts:
    """Hosts of a replay, each with a folder of its own."""

    def __init__(self, source: str, folder: Path, count: int, *more: str) -> None:
        self._stack = ExitStack()
        self.url, self.client = self._stack.enter_context(redis_of_its_own())
        self._folder, self._source = folder, source
        self._addresses = [f"127.0.2.{number + 1}:{free_port()}" for number in range(count)]
        self._more = (*LEARN, "--json", *more)
        self._numbers = range(count)
        self.runs: dict[int, Running] = {}

    def start(self, *numbers: int, more: tuple[str, ...] = ()) -> None:
        """Start some hosts, or all."""
        for number in numbers or self._numbers:
            state = str(self._folder / f"h{number}")
            words = ["replay", self._source, "--redis", self.url, "--host", str(number), "--state", state]
            words += ["--hosts", ",".join(self._addresses), *self._more, *more]
            self.runs[number] = self._stack.enter_context(running(words, self._folder / f"log{number}", LIMITS))

    def close(self) -> None:
        """Kill the hosts, and their Redis."""
        self._stack.close()

    def await_version(self, number: int) -> None:
        """Wait until the replay has published a population version."""
        self.runs[0].wait_for(lambda: newest(self.client) >= number, f"version {number}")

    def end(self) -> dict[str, Any]:
        """Wait for the end of all hosts, and return the summary of host 0; the others print none."""
        ended = {number: run.process.wait(90) for number, run in self.runs.items()}
        assert ended == dict.fromkeys(self._numbers, 0), "\n".join(run.output for run in self.runs.values())
        summaries = {number: found for number, run in self.runs.items() if (found := _summary(run))}
        assert list(summaries) == [0]
        return summaries[0]

    @property
    def left(self) -> Left:
        """Content of Redis, and the users: the folders of all hosts together are one of a single host."""
        whole = self._folder / "whole"
        for number in self._numbers:
            shutil.copytree(self._folder / f"h{number}", whole, dirs_exist_ok=True)
        return Left(everything_in(self.client), users_of(whole))


def _summary(run: Running) -> dict[str, Any]:
    """Return the summary in the output; it has a line per member, and lines of logs are whole documents."""
    _, begin, rest = ("\n" + run.output).partition("\n{\n")
    found: dict[str, Any] = json.loads(begin + rest[: rest.index("\n}") + 2]) if begin else {}
    return found


@contextmanager
def hosts_of(history: History, folder: Path, count: int, *more: str) -> Iterator[Hosts]:
    hosts = Hosts(history.source, folder, count, *more)
    try:
        yield hosts
    finally:
        hosts.close()


@pytest.mark.parametrize(("count", "processes"), [(2, 2), (3, 1)])
def test_number_of_hosts_changes_no_byte(count: int, processes: int, history: History, tmp_path: Path) -> None:
    """Host 0 counts over all hosts, and no round stays in Redis."""
    with hosts_of(history, tmp_path, count, "--processes", str(processes)) as hosts:
        hosts.start()
        summary = hosts.end()
        assert hosts.left == history.left
        assert {name: summary[name] for name in COUNTS} == {name: history.summary[name] for name in COUNTS}


@pytest.mark.parametrize("killed", [(1,), (0,), (0, 1)], ids=["other", "first", "all"])
def test_killed_hosts_resume_with_the_same_bytes(killed: tuple[int, ...], history: History, tmp_path: Path) -> None:
    """Hosts that live notice the loss, and all resume from the last common checkpoint; the report is of the whole."""
    with hosts_of(history, tmp_path, 2, *SLOWLY, "--report", str(tmp_path / "report")) as hosts:
        hosts.start()
        hosts.await_version(3)
        for number in killed:
            hosts.runs[number].kill()
        hosts.start(*killed)
        hosts.end()
        assert hosts.left == history.left
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["counts"]["read"], report["counts"]["unexplained"]) == (history.summary["read"], 0)
    [version] = tmp_path.glob("h*/population.json")
    assert report["model"]["population_sha256"] == sha256(version.read_bytes()).hexdigest()
    assert [part["result"] for part in report["parts"]] == ["killed" if 0 in killed else "failed", "complete"]


def test_stopped_host_resumes_with_the_others_that_wait(history: History, tmp_path: Path) -> None:
    with hosts_of(history, tmp_path, 2, *SLOWLY) as hosts:
        hosts.start()
        hosts.await_version(3)
        hosts.runs[1].process.send_signal(signal.SIGTERM)
        assert hosts.runs[1].process.wait(30) == 0
        assert hosts.runs[0].process.poll() is None
        hosts.start(1)
        hosts.end()
        assert hosts.left == history.left


def test_lost_data_of_redis_ends_the_replay(history: History, tmp_path: Path) -> None:
    """As on one host: the namespace would lack what was written."""
    with hosts_of(history, tmp_path, 2, *SLOWLY) as hosts:
        hosts.start()
        hosts.await_version(3)
        hosts.client.flushall()
        lost = "Redis lost data of namespace shadow during the replay"
        eventually(lambda: any(lost in run.output for run in hosts.runs.values()), within_s=60, what="the error")
        assert 1 in [run.process.wait(30) for run in hosts.runs.values() if lost in run.output]


def test_complete_replay_ends_at_once(history: History, tmp_path: Path) -> None:
    """A host that was killed at its very end finds the result, although the others have left."""
    with hosts_of(history, tmp_path, 2, "--report", str(tmp_path / "report")) as hosts:
        hosts.start()
        summary = hosts.end()
        hosts.start(0)
        assert hosts.end() == summary | dict.fromkeys(("wall_s", "events_per_s"), ANY)
        hosts.start(1)
        assert hosts.runs[1].process.wait(60) == 0
        report = json.loads((tmp_path / "report.json").read_text())
        assert report["counts"]["read"] == history.summary["read"]
        hosts.start(more=("--lateness", "12"))
        assert hosts.runs[0].process.wait(60) == 1
        assert "has another replay: --lateness was 24, and is 12 now" in hosts.runs[0].output
        for run in hosts.runs.values():
            run.kill()
        words = ["replay", history.source, "--redis", hosts.url, "--state", str(tmp_path / "h0"), *LEARN]
        refused = tacit(*words, cwd=tmp_path)
        assert refused.returncode == 1
        assert "has the share of host 0 of 2: give the same --hosts as before" in refused.stderr
        words = ["run", history.source, "--redis", hosts.url, "--from-replay", "h1", "--state", "live"]
        refused = tacit(*words, cwd=tmp_path)
        assert refused.returncode == 1
        assert "the state folder h1 has the share of host 1 of 2" in refused.stderr


def test_complete_replay_reads_a_partition_that_is_new(kafka: Kafka, tmp_path: Path) -> None:
    """All hosts find it, and none ends at once."""
    write_history(tmp_path / "events.jsonl", users=20, turns=300)
    events = rounds.events_of(rounds.History(tmp_path / "events.jsonl", {}))
    topic = kafka.create_topic(2, UNLIMITED)
    rounds.produce(kafka, topic, events[:200], partition=1)
    source = History(f"kafka://{kafka.servers}/{topic}", Left({}, {}), {})
    with hosts_of(source, tmp_path, 2) as hosts:
        hosts.start()
        assert hosts.end()["read"] == 200
        kafka.add_partitions(topic, 3)
        rounds.produce(kafka, topic, events[200:], partition=2)
        hosts.start()
        assert hosts.end()["read"] == len(events) - 200


def test_replay_starts_over_on_all_hosts(history: History, tmp_path: Path) -> None:
    """A host without its folder is named; with --again on all of them the replay begins from nothing."""
    with hosts_of(history, tmp_path, 2, *SLOWLY) as hosts:
        hosts.start()
        hosts.runs[0].wait_for(lambda: list(tmp_path.glob("h0/shards/*/c*")), "a checkpoint")
        for run in hosts.runs.values():
            run.kill()
        shutil.rmtree(tmp_path / "h1")
        hosts.start()
        assert hosts.runs[0].process.wait(60) == 1
        assert "host 1 has no state, and the others cannot resume without it" in hosts.runs[0].output
        assert "start all hosts over with --again" in hosts.runs[0].output
        hosts.runs[1].kill()
        hosts.start(0, more=("--again",))
        hosts.start(1)
        refused = "host 1 has again False, and host 0 has True"
        eventually(lambda: any(refused in run.output for run in hosts.runs.values()), within_s=60, what="the refusal")
        for run in hosts.runs.values():
            run.kill()
        hosts.client.flushall()  # versions in Redis would give the new ones other numbers
        hosts.start(more=("--again",))
        assert hosts.end()["read"] == history.summary["read"]
        assert hosts.left == history.left
