"""The peers' job on Pathway, as its documentation describes custom reducers.

    python -m benchmarks.peers.pathway_job events.jsonl unix://…

A static file is one commit: Pathway calls the reducer once per user with all rows, and emits each user's last signal.
"""

import sys
from typing import Any, Self

import pathway as pw
import redis

from benchmarks.peers.job import Event, User, key_of, step


class Events(pw.Schema):
    """Members of an event that the job reads."""

    user_id: str
    at: int
    served: pw.Json
    feedback: pw.Json


class Learner(pw.BaseCustomAccumulator):
    """State of one user, or the events to add to it."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events
        self.user = User()
        self.signal = ""

    @classmethod
    def neutral(cls) -> Self:
        return cls([])

    @classmethod
    def from_row(cls, row: list[Any]) -> Self:
        at_ms, served, feedback = row
        return cls([{"at": at_ms, "served": served.as_dict(), "feedback": feedback.as_dict()}])

    @classmethod
    def sort_by(cls, row: list[Any]) -> int:
        return int(row[0])

    def update(self, other: Self) -> None:
        for event in other.events:
            self.signal = step(self.user, event)

    def compute_result(self) -> str:
        return self.signal


def main(path: str, url: str) -> None:
    """Process a file, and write the signals to Redis at the end of each commit."""
    events = pw.io.jsonlines.read(path, schema=Events, mode="static")
    learn = pw.reducers.udf_reducer(Learner)
    users = events.groupby(events.user_id).reduce(
        events.user_id, signal=learn(events.at, events.served, events.feedback)
    )
    pipeline = redis.Redis.from_url(url).pipeline(transaction=False)

    def on_change(key: Any, row: dict[str, Any], time: int, is_addition: bool) -> None:  # noqa: ARG001  passed by name
        if is_addition:
            pipeline.set(key_of(row["user_id"]), row["signal"])

    pw.io.subscribe(users, on_change, on_end=pipeline.execute)
    pw.run(monitoring_level=pw.MonitoringLevel.NONE)


if __name__ == "__main__":
    main(*sys.argv[1:])
