"""State larger than the cache: pauses, CPU per touched user, cache misses, memory, time to resume.

    python -m benchmarks.state [--users N] [--touched N] [--intervals N]

Each user has full state (70 answers). Tacit's stateful step runs in Bytewax with checkpoints, under an even stream that
touches `touched` users per checkpoint interval of 10 s. The comparison is Bytewax's own state: one key per user, with
packed state of the same size. A pause is the longest time in a checkpoint interval between two polls of the source,
including the work on one batch of 200.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import bytewax.operators as op
import redis
from bytewax.dataflow import Dataflow
from bytewax.inputs import FixedPartitionedSource, StatefulSourcePartition
from bytewax.operators import StatefulBatchLogic
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.run import cli_main

from benchmarks.machine import machine, peak_mb, resident_mb
from benchmarks.peers.bytewax_job import Nowhere
from benchmarks.processes import in_new_process
from benchmarks.synthetic_users import END_MS, answer, fill, full_rows, parse_answers, pseudonyms, put, record_of
from dataflows.graph import ADAPT_STEP, FLOW_ID
from dataflows.runtime.worker import collect_garbage_rarely
from dataflows.state_folder import Identity, locked
from operators.adapt import Adapt
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters, Outcome
from state.events.records import Records
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.storage.shards import shard_key, shard_of
from state.user.rules import Rules
from tacit.contract.pseudonyms import fingerprint
from tacit_cli.views.folder_stats import disk_bytes
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import SECRET, environment
from tests.support.factories import make_event

SHARDS = 16
INTERVAL_S = 10.0
BATCH = 200
IDENTITY = Identity(SHARDS, "eu", "live", "files", fingerprint(SECRET.encode()))
TACIT = Path(sys.executable).with_name("tacit")


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.state", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=1_000_000, help="users in the state (default: %(default)s)")
    parser.add_argument(
        "--touched", type=int, default=100_000, help="users per checkpoint interval (default: %(default)s)"
    )
    parser.add_argument("--intervals", type=int, default=12, help="checkpoint intervals (default: %(default)s)")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="tacit-benchmark-") as folder:
        _measure(Path(folder), options.users, options.touched, options.intervals)


def _measure(folder: Path, user_count: int, touched: int, intervals: int) -> None:
    print(f"{user_count:,} users, {touched:,} touched in each of {intervals} checkpoint intervals of {INTERVAL_S:g} s")
    in_new_process(fill_users, folder / "state", user_count)
    _print("Tacit", in_new_process(run_stream, folder / "state", user_count, touched, intervals), touched)
    print(f"  two checkpoints on disk: {disk_bytes([folder / 'state']) / 1e6:,.0f} MB")
    print(f"  from the start of `tacit replay` to its first signal in Redis: {_resume_s(folder):.2f} s")
    costs = in_new_process(measure_costs, folder / "costs", user_count, touched)
    print(f"  saving a touched user: {costs.save_us:.1f} µs of CPU, all threads")
    print(
        f"  with a tenth of the users cached: reading a cached user {costs.hit_us:.1f} µs of CPU, another user "
        f"{costs.miss_us:.1f} µs; {costs.resident_mb:,.0f} MB resident"
    )
    _print("Bytewax, one key per user", in_new_process(_keyed, folder / "keyed", user_count, touched, 2), touched)


class Stream(NamedTuple):
    """Measurements of one stream."""

    pauses_s: list[float]
    """Longest pause of each checkpoint interval."""
    cpu_s: list[float]
    """CPU of each checkpoint interval, all threads."""
    peak_mb: float


def _print(name: str, stream: Stream, touched: int) -> None:
    pauses_ms = sorted(pause * 1000 for pause in stream.pauses_s)
    cpu_us = sum(stream.cpu_s) / len(stream.cpu_s) / touched * 1e6
    print(
        f"{name}: longest pause of an interval: median {pauses_ms[len(pauses_ms) // 2]:,.0f} ms, "
        f"max {pauses_ms[-1]:,.0f} ms; CPU {cpu_us:.1f} µs per touched user, all threads and the event included; "
        f"peak memory {stream.peak_mb:,.0f} MB"
    )


# An even stream


class _Paced(StatefulSourcePartition[Any, None]):
    """A source that emits batches at even times, and measures the time between two polls."""

    def __init__(self, intervals: Iterator[list[Any]], stream: Stream) -> None:
        self._intervals = intervals
        self._stream = stream
        self._waiting: list[Any] = []
        self._returned_s = self._due_s = 0.0
        self._started_cpu_s = 0.0
        self._every_s = 0.0

    def next_batch(self) -> list[Any]:
        now_s = time.perf_counter()
        if self._returned_s:
            self._stream.pauses_s[-1] = max(self._stream.pauses_s[-1], now_s - self._returned_s)
        if not self._waiting:
            self._begin_interval(now_s)
        out = self._waiting.pop() if now_s >= self._due_s else []
        if out:
            self._due_s += self._every_s
        self._returned_s = time.perf_counter()
        return out

    def _begin_interval(self, now_s: float) -> None:
        cpu_s = time.process_time()
        if self._returned_s:
            self._stream.cpu_s.append(cpu_s - self._started_cpu_s)
        self._waiting = next(self._intervals, [])
        if not self._waiting:
            raise StopIteration
        self._stream.pauses_s.append(0.0)
        self._every_s = INTERVAL_S / len(self._waiting)
        self._due_s = max(self._due_s, now_s)
        self._started_cpu_s = time.process_time()

    def next_awake(self) -> datetime | None:
        return None

    def snapshot(self) -> None:
        return None


class _PacedSource(FixedPartitionedSource[Any, None]):
    def __init__(self, intervals: Iterator[list[Any]], stream: Stream) -> None:
        self._partition = _Paced(intervals, stream)

    def list_parts(self) -> list[str]:
        return ["one"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Paced:
        return self._partition


def _run(intervals: Iterator[list[Any]], build: Callable[[Any], Any], step: str, recovery: Path) -> Stream:
    stream = Stream([], [], 0.0)
    collect_garbage_rarely()
    flow = Dataflow(FLOW_ID)
    items = op.input("stream", flow, _PacedSource(intervals, stream))
    op.output("nowhere", op.stateful_batch(step, items, build), Nowhere())
    cli_main(flow, epoch_interval=timedelta(seconds=INTERVAL_S), recovery_config=RecoveryConfig(recovery))
    return stream._replace(peak_mb=peak_mb())


def fill_users(folder: Path, user_count: int) -> None:
    fill(folder, IDENTITY, pseudonyms(user_count, SECRET.encode()))


def run_stream(folder: Path, user_count: int, touched: int, intervals: int, first: int = 0) -> Stream:
    """Run Tacit's stateful step; most users are not in the cache. `first` is the number of its first interval."""
    rules, counters = Rules(NumberedCatalogue.load()), EventCounters()
    with (
        locked(folder, IDENTITY, rules.catalogue) as held,
        ShardStores(held.shards, SHARDS, rules.catalogue, held.execution) as stores,
    ):
        stream = _run(
            _answers(user_count, touched, range(first, first + intervals), rules.catalogue),
            lambda token: Adapt(stores, rules, counters, parse_answers, token, reclaims=True),
            ADAPT_STEP,
            held.recovery,
        )
    if counters.outcomes[Outcome.ACCEPTED] < touched * intervals:
        raise SystemExit(f"not all answers were accepted: {counters.outcomes}, {counters.rejects}")
    return stream


def _answers(user_count: int, touched: int, intervals: range, catalogue: NumberedCatalogue) -> Iterator[list[Any]]:
    """Yield an interval's batches of (shard, records of answers), one answer per touched user."""
    rng, users = random.Random(2 + intervals.start), pseudonyms(user_count, SECRET.encode())
    for interval in intervals:
        chosen = rng.sample(users, touched)
        yield [
            _grouped(chosen[first : first + BATCH], interval, rng, catalogue) for first in range(0, len(chosen), BATCH)
        ]


def _grouped(
    users: list[bytes], interval: int, rng: random.Random, catalogue: NumberedCatalogue
) -> list[tuple[str, Records]]:
    groups: dict[int, Records] = {}
    for user in users:
        at_ms = END_MS + interval * round(INTERVAL_S * 1000)
        record = record_of(answer(user, at_ms, 1000 + interval, rng, catalogue))
        groups.setdefault(shard_of(user, SHARDS), Records()).append(record)
    return [(shard_key(shard), records) for shard, records in groups.items()]


# Comparison: Bytewax's own keyed state


class _KeyedUser(StatefulBatchLogic[bytes, None, bytes]):
    """One user's key, with as many bytes of state as Tacit has per user."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def on_batch(self, values: list[bytes]) -> tuple[list[None], bool]:
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        return self._packed


def _keyed(folder: Path, user_count: int, touched: int, intervals: int) -> Stream:
    folder.mkdir()
    init_db_dir(folder, 4)
    packed = full_rows(Rules(NumberedCatalogue.load()))[0]
    stream = _run(_keys(user_count, touched, intervals + 1), lambda saved: _KeyedUser(saved or packed), "users", folder)
    # Filling and the first interval are not part of the figures.
    return stream._replace(pauses_s=stream.pauses_s[2:], cpu_s=stream.cpu_s[2:])


def _keys(user_count: int, touched: int, intervals: int) -> Iterator[list[Any]]:
    rng, users = random.Random(2), [user.hex() for user in pseudonyms(user_count, SECRET.encode())]
    for chosen in (users, *(rng.sample(users, touched) for _ in range(intervals))):
        yield [[(user, b"") for user in chosen[first : first + BATCH]] for first in range(0, len(chosen), BATCH)]


# CPU without the engine


class Costs(NamedTuple):
    """CPU in µs and memory of a worker whose cache holds a tenth of the users."""

    hit_us: float
    """Reading a cached user, without an event and without wording a signal."""
    miss_us: float
    """Reading another user."""
    resident_mb: float
    save_us: float


def measure_costs(folder: Path, user_count: int, touched: int) -> Costs:
    """Measure reads and saves of full users, without Bytewax."""
    rules, rng = Rules(NumberedCatalogue.load()), random.Random(5)
    users = pseudonyms(user_count, SECRET.encode())
    collect_garbage_rarely()
    with ShardStores(folder, SHARDS, rules.catalogue, "costs", user_count // 10) as stores:
        opened = {shard_of(user, SHARDS): user for user in users[:1000]}
        shards = {shard: stores.create(user) for shard, user in opened.items()}
        _put_all(shards, users, full_rows(rules))
        chosen = rng.sample(users, user_count // 20)
        miss_us, hit_us = (_read_us(shards, chosen) for _ in range(2))
        _read_us(shards, rng.sample(users, user_count // 10))  # fills the cache
        return Costs(hit_us, miss_us, resident_mb(), _save_us(shards, users, touched, rng))


def _put_all(shards: dict[int, ShardStore], users: list[bytes], rows: list[bytes]) -> None:
    for shard, store in shards.items():
        put(store, [user for user in users if shard_of(user, SHARDS) == shard], rows)
        store.snapshot()


def _by_shard(shards: dict[int, ShardStore], users: Iterable[bytes]) -> list[tuple[ShardStore, list[bytes]]]:
    """Return the users of each shard in batches, as a worker gets them."""
    found: dict[int, list[bytes]] = {shard: [] for shard in shards}
    for user in users:
        found[shard_of(user, SHARDS)].append(user)
    return [
        (shards[shard], chosen[first : first + BATCH])
        for shard, chosen in found.items()
        for first in range(0, len(chosen), BATCH)
    ]


def _read_us(shards: dict[int, ShardStore], users: list[bytes]) -> float:
    """Return this thread's CPU per user that is read."""
    batches = _by_shard(shards, users)
    started_s = time.thread_time()
    for store, batch in batches:
        store.begin_batch(batch)
        store.end_batch()
    return (time.thread_time() - started_s) / len(users) * 1e6


def _save_us(shards: dict[int, ShardStore], users: list[bytes], touched: int, rng: random.Random) -> float:
    """Return all threads' CPU per saved user: writing, compaction and checkpoints."""
    intervals = 10
    started_s, reading_s = time.process_time(), 0.0
    for _ in range(intervals):
        chosen = rng.sample(users, touched)
        for first in range(0, touched, 1000):
            for store, batch in _by_shard(shards, chosen[first : first + 1000]):
                before_s = time.thread_time()
                store.begin_batch(batch)
                reading_s += time.thread_time() - before_s
                for user in batch:
                    store.put(user)
                store.end_batch()
        for store in shards.values():
            store.snapshot()
            store.begin_batch(())
    return (time.process_time() - started_s - reading_s) / touched / intervals * 1e6


def _resume_s(folder: Path) -> float:
    """Return the time from the start of `tacit replay` on a large state folder to its first signal."""
    events = folder / "events.jsonl"
    event = make_event(user_id="user-1", event_id="resumed", at=time.time_ns() // 1_000_000)
    events.write_bytes(json.dumps(event).encode() + b"\n")
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        arguments = [str(events), "--state", str(folder / "state"), "--redis", server.url]
        arguments += ["--rejects", str(folder / "rejects.jsonl")]
        started_s = time.perf_counter()
        with subprocess.Popen(
            [str(TACIT), "replay", *arguments], env=environment(), stdout=subprocess.DEVNULL
        ) as worker:
            while not client.dbsize() and worker.poll() is None:
                time.sleep(0.005)
            elapsed_s = time.perf_counter() - started_s
    if worker.returncode:
        raise SystemExit(f"tacit replay ended with {worker.returncode}")
    return elapsed_s


if __name__ == "__main__":
    main()
