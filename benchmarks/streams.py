"""Streams of events for measurements of cost, each in two lengths."""

import json
import random
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from tacit.contract.catalogue import SHIPPED, Catalogue
from tacit_lab.simulate import Scenario, simulate
from tacit_lab.simulate.output import write_events

EVENTS_PER_USER = TURNS_PER_USER = 30
RECORDS_PER_TURN = 1.25
"""Records of the demo's stream per answer, about: consent, later feedback, pins and faults are the rest."""
DAYS = 20
DAY_MS = 86_400_000
START_SHARE = 0.1
"""Share of a stream's events in its short form."""
LIKES_OF_TASTE = 0.8
"""Chance of a like of an answer with the user's preferred length; of another answer, of a dislike."""


class Sources(NamedTuple):
    """The beginning of a stream and the whole stream, as paths of files or addresses of topics."""

    short: str
    whole: str


class Stream(NamedTuple):
    """A stream of events in two lengths."""

    title: str
    files: Sources
    short_events: int
    events: int
    catalogue: Path

    @property
    def measured(self) -> int:
        """Events by which the files differ."""
        return self.events - self.short_events


def demo_stream(folder: Path, events: int) -> Stream:
    """Return the stream of `tacit demo`: consent, pins, faults, and feedback on a third of the answers."""
    end_ms = time.time_ns() // 1_000_000
    turns = max(TURNS_PER_USER, round(events / RECORDS_PER_TURN))
    scenario = Scenario(end_ms=end_ms, users=turns // TURNS_PER_USER, turns=turns)
    return _written("the demo's stream", folder / "demo", simulate(scenario).events, SHIPPED)


def peers_stream(folder: Path, events: int) -> Stream:
    """Return the stream of the peers' job: every event is a like or dislike of an answer in five facets."""
    rng, users = random.Random(4), max(1, events // EVENTS_PER_USER)
    return users_stream("the peers' job", folder / "peers", (rng.randrange(users) for _ in range(events)), events)


def users_stream(title: str, path: Path, users: Iterable[int], events: int) -> Stream:
    """Return a stream of likes and dislikes of users, by the number of each event's user."""
    catalogue = path.with_suffix(".toml")
    catalogue.write_text(SHIPPED.read_text().replace('default = "required"', 'default = "granted"'))
    return _written(title, path, _feedback(users, events, Catalogue.load(catalogue)), catalogue)


def _feedback(users: Iterable[int], events: int, catalogue: Catalogue) -> Iterator[bytes]:
    rng = random.Random(4)
    start_ms, step_ms = time.time_ns() // 1_000_000 - DAYS * DAY_MS, max(1, DAYS * DAY_MS // events)
    topics = [topic for topic in catalogue.topics.values if topic not in catalogue.topics.sensitive]
    choices = {facet: list(described.values) for facet, described in catalogue.facets.items()}
    for number, user in enumerate(users):
        served = {facet: rng.choice(values) for facet, values in choices.items()}
        likes = rng.random() < LIKES_OF_TASTE
        matches = served["length"] == choices["length"][user % len(choices["length"])]
        yield json.dumps(
            {
                "schema": 1,
                "type": "interaction",
                "event_id": f"e-{number}",
                "user_id": f"user-{user:06d}",
                "at": start_ms + number * step_ms,
                "region": "eu",
                "turn_id": f"t-{number}",
                "surface": rng.choice(catalogue.surfaces.values),
                "topic": rng.choice(topics),
                "served": served,
                "feedback": {"kind": "thumbs_up" if likes == matches else "thumbs_down"},
            },
            separators=(",", ":"),
        ).encode()


def _written(title: str, path: Path, lines: Iterator[bytes], catalogue: Path) -> Stream:
    whole, short = path.with_suffix(".jsonl"), path.with_suffix(".short.jsonl")
    written = list(lines)
    beginning = written[: max(1, round(len(written) * START_SHARE))]
    write_events(written, str(whole))
    write_events(beginning, str(short))
    return Stream(title, Sources(str(short), str(whole)), len(beginning), len(written), catalogue)
