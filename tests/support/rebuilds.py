"""Histories with a state folder, and comparisons of Redis before and after a rebuild."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import redis

from dataflows.inspection import inspect
from dataflows.rebuild import rebuild
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.gates import Gate, decode_gate
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tests.support.commands import SECRET, everything_in
from tests.support.factories import make_event
from tests.support.replays import now_ms, replay

MINUTE_MS = 60_000

Event = dict[str, Any]

LIKED: Event = {"served": {"length": "concise", "tone": "formal"}, "feedback": {"kind": "thumbs_up"}}
GRANT: Event = {"type": "consent", "granted": True}
DENY: Event = {"type": "consent", "granted": False}
PIN: Event = {"type": "pin", "facet": "length", "value": "detailed"}
UNPIN: Event = {"type": "pin", "facet": "length", "value": None}
FORGET: Event = {"type": "forget"}


def rebuild_into(url: str, state: Path, namespace: str | None = None) -> dict[str, Any]:
    """Rebuild, and return the summary."""
    settings = Settings(embedded=True, redis=url)
    return rebuild(inspect(state, NumberedCatalogue.load()), settings, namespace, lambda _: None).as_dict()


def held(client: redis.Redis) -> dict[str, Any]:
    """Return the content of a Redis as JSON."""
    return as_json(everything_in(client))


def as_json(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content with lists in place of sets."""
    found: dict[str, Any] = json.loads(json.dumps(held, default=sorted))
    return found


def decided(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return all keys, with value, tier, source and status of each signal."""
    return {key: _decided(content) if key.endswith(":signals") else content for key, content in held.items()}


def _decided(fields: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    signals = {name: json.loads(content) for name, content in fields.items()}
    members = ("value", "tier", "source", "status")
    return {name: tuple(signal.get(member, "") for member in members) for name, signal in signals.items()}


def versions(held: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the version of each field."""
    return {
        (key, name): json.loads(content)["v"]
        for key, fields in held.items()
        if key.endswith(":signals")
        for name, content in fields.items()
    }


def expiries(client: redis.Redis) -> dict[str, int | None]:
    """Return the expiry of each signal key in epoch milliseconds; None: no expiry."""
    keys = [str(key) for key in client.scan_iter(match="*:signals")]
    return {key: now_ms() + left_ms if (left_ms := client.pttl(key)) >= 0 else None for key in keys}


def events_of(stories: Mapping[str, list[Event]], first_ms: int) -> list[Event]:
    """Return the events of some stories, one minute apart."""
    return [
        make_event(event_id=f"{first_ms}-{index}", user_id=user, at=first_ms + index * MINUTE_MS, **event)
        for user, story in stories.items()
        for index, event in enumerate(story)
    ]


class Deployment(NamedTuple):
    """Redis, a history, and the state folder of its replay."""

    url: str
    client: redis.Redis
    folder: Path

    def replay(self, *words: object) -> dict[str, Any]:
        """Replay the new events of the history."""
        return replay(self.url, "events.jsonl", "--state", "state", "--namespace", "story", *words, cwd=self.folder)

    def rebuild(self, state: str = "state", namespace: str | None = None) -> dict[str, Any]:
        """Rebuild, and return the summary."""
        return rebuild_into(self.url, self.folder / state, namespace)

    def append(self, events: list[Event]) -> None:
        """Append events to the history."""
        with (self.folder / "events.jsonl").open("ab") as file:
            file.write(b"".join(json.dumps(event).encode() + b"\n" for event in events))

    def signals(self, user: str, namespace: str = "story") -> str:
        return f"tacit:v1:eu:{namespace}:{{{pseudonym_text(pseudonym(user, SECRET.encode()))}}}:signals"

    def gate(self, user: str) -> Gate:
        """Return the gate of a user."""
        key = RegionKeys("eu").gate(pseudonym(user, SECRET.encode()))
        return decode_gate(str(self.client.get(key)).encode())

    def read(self, user: str) -> dict[str, Any]:
        """Return the signals of a user."""
        return {str(name): json.loads(signal) for name, signal in self.client.hgetall(self.signals(user)).items()}
