"""Whole deployment with a page: Kafka, a worker, Redis and the service, as processes."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from tacit import SignalReader
from tacit.contract.activity import DAY_MS, HOUR_MS
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import SECRET, Running, running
from tests.support.factories import make_event
from tests.support.kafka_topics import Kafka
from tests.support.replays import now_ms
from tests.support.service import Service, serving


@dataclass(frozen=True)
class Deployment:
    """Running deployment."""

    service: Service
    worker: Running
    redis: str
    """URL."""

    @property
    def folder(self) -> Path:
        """Folder of the state, the receipts, the audit and the logs."""
        return self.service.folder

    def link(self, user_id: str, language: str | None = None) -> str:
        """Return a link to the page of a user, as an assistant asks for it."""
        return link(self.service, user_id, language)

    def choice(self, user_id: str) -> dict[str, Any]:
        """Return the choice that an assistant gets."""
        answer = self.service.client.post("/v1/choices", json={"user": user_id, "unit": "c-1", "explore": False})
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found


def link(service: Service, user_id: str, language: str | None = None) -> str:
    """Return a link to the page of a user."""
    document = {"user": user_id} if language is None else {"user": user_id, "language": language}
    answer = service.client.post("/v1/links", json=document)
    assert answer.status_code == 201, answer.text
    return str(answer.json()["url"])


@contextmanager
def deployed(kafka: Kafka, folder: Path, *users: str, options: tuple[str, ...] = ()) -> Iterator[Deployment]:
    """Run a deployment that has learned about some users."""
    topic = kafka.create_topic()
    source = f"kafka://{kafka.servers}/{topic}"
    events = [event for number, user_id in enumerate(users) for event in history(user_id, f"u{number}")]
    kafka.produce(topic, [msgspec.json.encode(event) for event in events])
    with EmbeddedRedis() as redis:
        run = ["run", source, "--redis", redis.url, "--state", "state", "--metrics", "off", "--checkpoint-every", "1"]
        serve = ("--source", source, "--state", "state", "--receipts", "receipts.jsonl", *options)
        with (
            running(run, folder / "worker.log") as worker,
            serving(folder, redis.url, *serve) as service,
            SignalReader(redis.url, region="eu", secret=SECRET.encode()) as reader,
        ):
            worker.wait_for(lambda: _has_learned(reader, users), "learned signals")
            yield Deployment(service, worker, redis.url)


def history(user_id: str, prefix: str) -> list[dict[str, Any]]:
    """Return consent and a month of feedback: short answers are liked, and in mails long ones.

    Args:
        user_id: the user.
        prefix: start of the ids of events.
    """
    start = now_ms() - 30 * DAY_MS
    common = {"user_id": user_id}
    events = [make_event(type="consent", granted=True, at=start, event_id=f"{prefix}-c", **common)]
    for day in range(1, 30):
        for turn, (topic, length, kind) in enumerate(_TURNS[day % len(_TURNS)]):
            events.append(
                make_event(
                    at=start + day * DAY_MS + (turn + day % 3) * HOUR_MS,
                    event_id=f"{prefix}-{day}-{turn}",
                    turn_id=f"{prefix}-t-{day}-{turn}",
                    topic=topic,
                    served={"length": length, "format": "bullets" if turn else "prose"},
                    feedback={"kind": kind},
                    **common,
                )
            )
    return events


_TURNS = (
    (("code", "concise", "thumbs_up"), ("email", "detailed", "thumbs_up"), ("code", "detailed", "thumbs_down")),
    (("code", "concise", "thumbs_up"), ("planning", "concise", "copied"), ("email", "concise", "thumbs_down")),
    (("code", "detailed", "shorter"), ("code", "concise", "thumbs_up"), ("email", "detailed", "thumbs_up")),
)
"""Topic, length and feedback of the answers of a day."""


def _has_learned(reader: SignalReader, users: tuple[str, ...]) -> bool:
    found = reader.get_many(users).values()
    return all("length" in adaptation.signals and adaptation.profile for adaptation in found)
