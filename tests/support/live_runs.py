"""Live runs of a topic, a Redis and a folder of their own."""

import json
from pathlib import Path

import redis

from tests.support.commands import Running
from tests.support.kafka_topics import Kafka
from tests.support.replays import now_ms


class Place:
    """Topic, Redis and folder of a run."""

    def __init__(self, kafka: Kafka, url: str, client: redis.Redis, folder: Path, partitions: int = 1) -> None:
        self.client, self.folder = client, folder
        self._kafka, self._url = kafka, url
        self._topic = kafka.create_topic(partitions)

    def words(self, *more: str, command: str = "run", state: str = "state") -> list[str]:
        """Return the command line; an empty `state` keeps none."""
        source = f"kafka://{self._kafka.servers}/{self._topic}"
        kept = ["--state", str(self.folder / state)] if state else []
        interval = [] if command == "check" else ["--metrics", "off", "--checkpoint-every", "1"]
        return [command, source, "--redis", self._url, *kept, *interval, *more]

    def teach(self, user: str, turns: int = 3) -> None:
        """Produce a consent and some feedback of a user."""
        at_ms = now_ms() - 60_000
        events = [{"type": "consent", "granted": True, "at": at_ms, "event_id": f"c-{user}"}]
        events += [
            {
                "type": "interaction",
                "at": at_ms + n,
                "event_id": f"e-{user}-{n}",
                "served": {"length": "concise"},
                "feedback": {"kind": "thumbs_up"},
            }
            for n in range(1, turns + 1)
        ]
        common = {"schema": 1, "user_id": user, "region": "eu"}
        self._kafka.produce(self._topic, [json.dumps(common | event).encode() for event in events])

    def forget(self, user: str) -> None:
        """Produce a forget of everything."""
        event = {
            "schema": 1,
            "type": "forget",
            "at": now_ms(),
            "event_id": f"f-{user}",
            "user_id": user,
            "region": "eu",
        }
        self._kafka.produce(self._topic, [json.dumps(event).encode()])

    def signals(self) -> list[str]:
        return sorted(map(str, self.client.keys("*:signals")))

    def wait_for_signals(self, run: Running, users: int) -> None:
        run.wait_for(lambda: len(self.signals()) == users, f"signals of {users} users")
