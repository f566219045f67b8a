"""Erasure in live runs: after a forget, files and Redis hold the tombstone alone, also after a kill and a stop."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from connectors.redis.client import RedisClient
from connectors.traces import find_traces, needles_of
from connectors.traces.redis_keys import find_redis_traces
from state.storage.checkpoint_reader import newest_checkpoints
from tests.support.commands import SECRET, running
from tests.support.factories import make_event
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.replays import now_ms, redis_of_its_own

pytestmark = KAFKA_TEST

SHARDS = 4
ADA = "ada.lovelace@example.org"
NEEDLES = needles_of(ADA, SECRET.encode())
BEGIN_MS = now_ms() - 3_600_000
KEPT = {"tombstone", "pseudonym"}
"""Kinds of traces that stay: the entry of a wiped user, and the pseudonym in bounds of tables."""


class Deployment:
    """Topic, state folder and Redis, with a learned state of some users."""

    def __init__(self, kafka: Kafka, url: str, client: redis.Redis, folder: Path) -> None:
        self.url, self.client, self.folder = url, client, folder
        self._kafka, self._topic = kafka, kafka.create_topic()
        self._count = 0
        users = [ADA, *(f"user-{number}" for number in range(30))]
        turn = {"served": {"length": "concise"}, "feedback": {"kind": "thumbs_up"}}
        events = [self.event(user, type="consent", granted=True) for user in users]
        events += [self.event(user, **turn) for _ in range(12) for user in users]
        self._kafka.produce(self._topic, events)

    def event(self, user_id: str, **fields: object) -> bytes:
        self._count += 1
        event = make_event(user_id=user_id, event_id=f"e-{self._count}", at=BEGIN_MS + self._count, **fields)
        return json.dumps(event).encode()

    def forget(self) -> None:
        self._kafka.produce(self._topic, [self.event(ADA, type="forget")])

    def words(self, processes: int, erase_within_s: int) -> list[str]:
        places = [f"kafka://{self._kafka.servers}/{self._topic}", "--redis", self.url, "--state", "state"]
        times = ["--checkpoint-every", "1", "--erase-within", str(erase_within_s), "--metrics", "off"]
        return ["run", *places, *times, "--shards", str(SHARDS), "--processes", str(processes)]

    def kinds(self) -> set[str]:
        """Return the kinds of traces in the state folder."""
        return {trace.kind for trace in find_traces(self.folder / "state", NEEDLES)}

    def is_learned(self) -> bool:
        return "learned" in self.kinds() and bool(self.client.exists(*self.signals()))

    def signals(self) -> list[str]:
        return [f"tacit:v1:eu:live:{{k1.{NEEDLES.user.hex()}}}:signals"]

    def is_erasing(self) -> bool:
        """Return whether a checkpoint has the wipe, and the older bytes."""
        shards = self.folder / "state" / "shards"
        return any(found.manifest.erasing for found in newest_checkpoints(shards, SHARDS))

    def is_erased(self) -> bool:
        return self.kinds() <= KEPT

    def check(self) -> None:
        """Check that the tombstone and what announces it are left, and that no file ever had the user id."""
        assert "tombstone" in self.kinds()
        client = RedisClient(self.url)
        assert {trace.place: trace.kind for trace in find_redis_traces(client, "eu", NEEDLES)} == {
            f"tacit:v1:eu:{{k1.{NEEDLES.user.hex()}}}:gate": "pseudonym",
            f"tacit:v1:eu:{{k1.{NEEDLES.user.hex()}}}:history": "tombstone",
            "tacit:v1:eu:{live}:changes": "pseudonym",
        }
        client.close()
        assert not list(find_traces(self.folder / "log", NEEDLES))


@pytest.fixture
def deployment(kafka: Kafka, tmp_path: Path) -> Iterator[Deployment]:
    with redis_of_its_own() as (url, client):
        yield Deployment(kafka, url, client, tmp_path)


@pytest.mark.parametrize("processes", [1, 2])
def test_quiet_shard_of_a_live_run(deployment: Deployment, processes: int) -> None:
    """No event follows the forget."""
    with running(deployment.words(processes, 5), deployment.folder / "log") as live:
        live.wait_for(deployment.is_learned, "the learned state in a checkpoint")
        deployment.forget()
        live.wait_for(lambda: "tombstone" in deployment.kinds(), "the forget in a checkpoint")
        live.wait_for(deployment.is_erased, "the erasure")
        deployment.check()


@pytest.mark.parametrize("processes", [1, 2])
def test_start_after_a_kill(deployment: Deployment, processes: int) -> None:
    """The kill comes between the wipe's checkpoint and the compaction; no event comes after the start.

    If the engine had not committed the checkpoint, the second run reads the forget again.
    """
    with running(deployment.words(processes, 900), deployment.folder / "log") as live:
        live.wait_for(deployment.is_learned, "the learned state in a checkpoint")
        deployment.forget()
        live.wait_for(deployment.is_erasing, "the forget in a checkpoint")
        live.kill()
    assert "learned" in deployment.kinds()
    with running(deployment.words(processes, 5), deployment.folder / "log") as live:
        live.wait_for(deployment.is_erased, "the erasure")
        deployment.check()


@pytest.mark.parametrize("processes", [1, 2])
def test_stop_erases_at_once(deployment: Deployment, processes: int) -> None:
    """However long --erase-within is."""
    with running(deployment.words(processes, 900), deployment.folder / "log") as live:
        live.wait_for(deployment.is_learned, "the learned state in a checkpoint")
        deployment.forget()
        live.wait_for(lambda: not deployment.client.exists(*deployment.signals()), "the forget in Redis")
        assert live.stop() == 0, live.output
    assert deployment.is_erased()
    deployment.check()
