"""Histories with a state folder, and what a rebuild promises to bring back of what Redis held."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import redis

from dataflows.inspection import inspect
from dataflows.rebuild import rebuild
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
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
    """Return all that a Redis holds, as JSON has it."""
    return as_json(everything_in(client))


def as_json(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return it with lists for sets."""
    found: dict[str, Any] = json.loads(json.dumps(held, default=sorted))
    return found


def decided(held: Mapping[str, Any]) -> dict[str, Any]:
    """Return all keys, and of signals what matters: value, tier and source."""
    return {key: _decided(content) if key.endswith(":signals") else content for key, content in held.items()}


def _decided(fields: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    said = {name: json.loads(content) for name, content in fields.items()}
    members = ("value", "tier", "source", "status")
    return {name: tuple(one.get(member, "") for member in members) for name, one in said.items()}


def versions(held: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the version of each field."""
    return {
        (key, name): json.loads(content)["v"]
        for key, fields in held.items()
        if key.endswith(":signals")
        for name, content in fields.items()
    }


def expiries(client: redis.Redis) -> dict[str, int | None]:
    """Return when signals expire, in epoch milliseconds; None: never."""
    keys = [str(key) for key in client.scan_iter(match="*:signals")]
    return {key: now_ms() + left_ms if (left_ms := client.pttl(key)) >= 0 else None for key in keys}


def told(stories: Mapping[str, list[Event]], first_ms: int) -> list[Event]:
    """Return the events of some stories, a minute apart."""
    return [
        make_event(event_id=f"{first_ms}-{place}", user_id=person, at=first_ms + place * MINUTE_MS, **event)
        for person, story in stories.items()
        for place, event in enumerate(story)
    ]


class Deployment(NamedTuple):
    """A Redis, and a state folder beside the history that it comes from."""

    url: str
    client: redis.Redis
    folder: Path

    def replay(self, *words: object) -> dict[str, Any]:
        """Read what is new of the history."""
        return replay(self.url, "events.jsonl", "--state", "state", "--namespace", "story", *words, cwd=self.folder)

    def rebuild(self, state: str = "state", namespace: str | None = None) -> dict[str, Any]:
        """Rebuild, and return the summary."""
        return rebuild_into(self.url, self.folder / state, namespace)

    def append(self, events: list[Event]) -> None:
        """Let the history go on."""
        with (self.folder / "events.jsonl").open("ab") as file:
            file.write(b"".join(json.dumps(event).encode() + b"\n" for event in events))

    def signals(self, person: str, namespace: str = "story") -> str:
        return f"tacit:v1:eu:{namespace}:{{{pseudonym_text(pseudonym(person, SECRET.encode()))}}}:signals"

    def read(self, person: str) -> dict[str, Any]:
        """Return a person's signals."""
        return {str(name): json.loads(said) for name, said in self.client.hgetall(self.signals(person)).items()}
