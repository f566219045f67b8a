"""The peers' job on Bytewax, as its documentation composes a dataflow: map, key_on, stateful_map and a sink.

    python -m bytewax.run "benchmarks.peers.bytewax_job:build('events.jsonl', 'redis://localhost')"

`build_windows` counts by Bytewax's tumbling windows in addition, its cheapest ones; their counts go nowhere.
"""

from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
import redis
from bytewax.connectors.files import FileSource
from bytewax.dataflow import Dataflow
from bytewax.operators import KeyedStream
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from benchmarks.peers.job import WINDOWS, Event, User, key_of, parse, step


def build(path: str, url: str) -> Dataflow:
    """Build the dataflow from a file of events to Redis."""
    return _build(path, url)[0]


def build_windows(path: str, url: str) -> Dataflow:
    """Build the dataflow with a tumbling window per window of the job."""
    flow, users = _build(path, url)
    for name, (length_ms, _) in WINDOWS.items():
        clock: win.EventClock[Event] = win.EventClock(
            lambda event: datetime.fromtimestamp(event["at"] / 1000, UTC), wait_for_system_duration=timedelta(hours=24)
        )
        windower = win.TumblingWindower(
            length=timedelta(milliseconds=length_ms), align_to=datetime(2024, 1, 1, tzinfo=UTC)
        )
        counts = win.fold_window(
            f"window_{name}", users, clock, windower, lambda: 0, lambda count, _: count + 1, lambda a, b: a + b
        )
        op.output(f"counts_{name}", counts.down, Nowhere())
    return flow


def _build(path: str, url: str) -> tuple[Dataflow, KeyedStream[Event]]:
    flow = Dataflow("peers")
    lines = op.input("lines", flow, FileSource(path))
    events = op.filter_map("parse", lines, parse)
    users = op.key_on("by_user", events, lambda event: event["user_id"])
    signals = op.stateful_map("learn", users, _learn)
    op.output("redis", signals, RedisSink(url))
    return flow, users


def _learn(user: User | None, event: Event) -> tuple[User, str]:
    user = user or User()
    return user, step(user, event)


class RedisSink(DynamicSink[tuple[str, str]]):
    """A sink of signals by user."""

    def __init__(self, url: str) -> None:
        self._url = url

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_RedisPartition":
        return _RedisPartition(redis.Redis.from_url(self._url))


class _RedisPartition(StatelessSinkPartition[tuple[str, str]]):
    def __init__(self, client: redis.Redis) -> None:
        self._client = client

    def write_batch(self, items: list[tuple[str, str]]) -> None:
        pipeline = self._client.pipeline(transaction=False)
        for user_id, signal in items:
            pipeline.set(key_of(user_id), signal)
        pipeline.execute()


class Nowhere(DynamicSink[object]):
    """A sink that drops its items."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_NowherePartition":
        return _NowherePartition()


class _NowherePartition(StatelessSinkPartition[object]):
    def write_batch(self, items: list[object]) -> None:
        pass
