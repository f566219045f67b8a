"""Replays that train the population model: the same bytes for any number of processes, and after kills."""

import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import redis

from operators.key import Keyer
from state.counters import EventCounters
from state.events.observation import Observation
from state.events.records import Records, Reject
from tests.support.commands import everything_in, running
from tests.support.factories import make_record
from tests.support.kafka_topics import Kafka
from tests.support.parser import SHARDS, make_parser
from tests.support.replays import END_MS, redis_of_its_own, replay, write_history

LEARN = ("--population", "learn", "--namespace", "shadow")
UNLIMITED = {"retention.ms": "-1"}
"""Records with the times of a history are older than a broker keeps by default."""


class History(NamedTuple):
    """File with events, and the content of Redis after an undisturbed replay in one process."""

    path: Path
    left: dict[str, Any]


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> History:
    folder = tmp_path_factory.mktemp("rounds")
    write_history(folder / "events.jsonl", users=150, turns=6_000, days=5)
    return History(folder / "events.jsonl", left_by(folder / "events.jsonl", processes=1, cwd=folder))


def left_by(source: object, *, processes: int, cwd: Path) -> dict[str, Any]:
    with redis_of_its_own() as (url, client):
        summary = replay(url, source, "--processes", processes, *LEARN, cwd=cwd)
        assert summary["population"]["version"] > 5
        return everything_in(client)


def test_versions_decide_about_signals(history: History) -> None:
    """Signals of one replay come from many versions, so an equal content means equal versions all the way."""
    models = {
        json.loads(signal)["by"]
        for key, fields in history.left.items()
        if key.endswith(":signals")
        for name, signal in fields.items()
        if not name.startswith("_")
    }
    assert len(models) > 5


@pytest.mark.parametrize("processes", [2, 3])
def test_number_of_processes_changes_no_byte(processes: int, history: History, tmp_path: Path) -> None:
    """Signals, versions, defaults and reports of proof are the same."""
    assert left_by(history.path, processes=processes, cwd=tmp_path) == history.left


@pytest.mark.parametrize("processes", [1, 2])
def test_kills_and_other_numbers_of_processes_change_no_byte(processes: int, history: History, tmp_path: Path) -> None:
    """A killed replay resumes with its round, its version and its numbers; the last part has three processes."""
    words = [str(history.path), "--state", "state", "--checkpoint-every", "1", *LEARN]
    with redis_of_its_own() as (url, client):
        for kill in range(3):
            above = newest(client)
            with running(
                ["replay", *words, "--processes", str(processes), "--redis", url], tmp_path / f"log-{kill}"
            ) as run:
                run.wait_for(partial(_is_above, client, above), "another version")
                run.kill()
        replay(url, *words, "--processes", 3, cwd=tmp_path)
        assert everything_in(client) == history.left


def _is_above(client: redis.Redis, number: int) -> bool:
    return newest(client) > number


def newest(client: redis.Redis) -> int:
    return int(client.get("tacit:v1:eu:{shadow}:population") or 0)


class Event(NamedTuple):
    """Line of the history, with the shard of its user and its time; a broken line has the time of the line before."""

    line: bytes
    shard: int
    at_ms: int


def events_of(history: History) -> list[Event]:
    """Return the lines; a line without a user has shard 0."""
    lines = history.path.read_bytes().splitlines()
    keyer = Keyer(make_parser(), SHARDS, EventCounters())
    shards = dict.fromkeys(range(len(lines)), 0)
    for group in keyer([make_record(line, number) for number, line in enumerate(lines)]):
        if not isinstance(group, Reject):
            key, records = group
            assert isinstance(records, Records)
            shards |= dict.fromkeys((record.position for record in records), int(key[:3]))
    found, at_ms = list[Event](), END_MS
    for number, line in enumerate(lines):
        parsed = make_parser().parse(make_record(line))
        at_ms = parsed.at_ms if isinstance(parsed, Observation) else at_ms
        found.append(Event(line, shards[number], at_ms))
    return found


def produce(kafka: Kafka, topic: str, events: list[Event], *, partition: int = 0) -> None:
    lines, times = [event.line for event in events], [event.at_ms for event in events]
    kafka.produce(topic, lines, partition=partition, at_ms=times)


@pytest.mark.kafka
def test_replay_of_a_topic_learns_the_same_in_any_number_of_processes(
    kafka: Kafka, history: History, tmp_path: Path
) -> None:
    """Four partitions of unequal length end in different rounds; all records of a user are in one."""
    of_partitions: dict[int, list[Event]] = {number: [] for number in range(4)}
    for event in events_of(history):
        of_partitions[min(event.shard, 3)].append(event)
    topic = kafka.create_topic(4, UNLIMITED)
    for number, events in of_partitions.items():
        produce(kafka, topic, events, partition=number)
    source = f"kafka://{kafka.servers}/{topic}"
    held = [left_by(source, processes=processes, cwd=tmp_path) for processes in (1, 2, 3)]
    assert held[0] == held[1] == held[2]


@pytest.mark.kafka
def test_replay_of_a_topic_learns_what_a_file_teaches(kafka: Kafka, history: History, tmp_path: Path) -> None:
    """A topic of one partition has the rounds of a file, and each "no" has its own time in both."""
    topic = kafka.create_topic(1, UNLIMITED)
    produce(kafka, topic, events_of(history))
    assert left_by(f"kafka://{kafka.servers}/{topic}", processes=2, cwd=tmp_path) == history.left
