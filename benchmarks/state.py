"""State larger than a cache: stops at checkpoints, CPU per touched user, misses, memory, time to resume.

    python -m benchmarks.state [--users N] [--touched N] [--epochs N]

All users has full state (70 answers). The dataflow's own stateful step runs in Bytewax with recovery on, under an even
stream that touches `touched` users per checkpoint interval of 10 s; next to it runs what Bytewax offers by itself, a key per user
whose packed state it saves. A stop is the longest time in an checkpoint interval for which the source was not asked for more, the
work on one batch of 200 included.
"""

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
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

from benchmarks.apart import apart
from benchmarks.machine import machine, peak_mb, resident_mb
from benchmarks.stock import Nowhere
from benchmarks.synthetic_users import END_MS, answer, digests, fill, full_person
from dataflows.graph import ADAPT_STEP, FLOW_ID
from dataflows.runtime.worker import collect_garbage_rarely
from dataflows.state_folder import Identity, locked
from operators.adapt import Adapt
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters, Outcome
from state.events.observation import pack
from state.storage.shard_store import ShardStore
from state.storage.shard_stores import ShardStores
from state.storage.shards import shard_key, shard_of
from state.user import codec
from state.user.rules import Rules
from state.user.user_state import UserState
from tacit.contract.pseudonyms import fingerprint
from tacit_cli.views.folder_stats import disk_bytes
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import SECRET, environment
from tests.support.factories import make_event

SHARDS = 16
EPOCH_S = 10.0
BATCH = 200
IDENTITY = Identity(SHARDS, "eu", "live", "files", fingerprint(SECRET.encode()))
TACIT = Path(sys.executable).with_name("tacit")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.state", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=1_000_000)
    parser.add_argument("--touched", type=int, default=100_000, help="per checkpoint interval")
    parser.add_argument("--epochs", type=int, default=12)
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="tacit-benchmark-") as folder:
        _measure(Path(folder), options.users, options.touched, options.epochs)


def _measure(folder: Path, user_count: int, touched: int, epochs: int) -> None:
    print(
        f"{user_count:,} users, {touched:,} touched per checkpoint interval of {EPOCH_S:g} s, {epochs} checkpoint intervals"
    )
    apart(_fill, folder / "state", user_count)
    _print("Tacit", apart(_tacit, folder / "state", user_count, touched, epochs), touched)
    print(f"  two checkpoints on disk: {disk_bytes([folder / 'state']) / 1e6:,.0f} MB")
    print(f"  from the start of `tacit replay` to its first signal in Redis: {_resume_s(folder):.2f} s")
    costs = apart(_costs, folder / "costs", user_count, touched)
    print(f"  saved: {costs.keep_us:.1f} µs of CPU per touched user, all threads")
    print(
        f"  with a tenth of the users cached: an answer {costs.hit_us:.1f} µs of CPU, of a user who is not "
        f"{costs.miss_us:.1f} µs; {costs.resident_mb:,.0f} MB resident"
    )
    _print("a key per user", apart(_plain, folder / "plain", user_count, touched, 2), touched)


class Stream(NamedTuple):
    """What a stream met."""

    stops_s: list[float]
    """By checkpoint interval."""
    cpu_s: list[float]
    peak_mb: float


def _print(name: str, stream: Stream, touched: int) -> None:
    stops_ms = sorted(stop * 1000 for stop in stream.stops_s)
    cpu_us = sum(stream.cpu_s) / len(stream.cpu_s) / touched * 1e6
    print(
        f"{name}: stops per checkpoint interval median {stops_ms[len(stops_ms) // 2]:,.0f} ms, max {stops_ms[-1]:,.0f} ms; "
        f"CPU {cpu_us:.1f} µs per touched user, all threads and the event's own work included; "
        f"peak memory {stream.peak_mb:,.0f} MB"
    )


# An even stream


class _Paced(StatefulSourcePartition[Any, None]):
    """Hands over batches at even times, checkpoint interval by checkpoint interval, and notes for how long it was not asked."""

    def __init__(self, epochs: Iterator[list[Any]], stream: Stream) -> None:
        self._epochs = epochs
        self._stream = stream
        self._waiting: list[Any] = []
        self._returned_s = self._due_s = 0.0
        self._began_cpu_s = 0.0
        self._every_s = 0.0

    def next_batch(self) -> list[Any]:
        now_s = time.perf_counter()
        if self._returned_s:
            self._stream.stops_s[-1] = max(self._stream.stops_s[-1], now_s - self._returned_s)
        if not self._waiting:
            self._begin_epoch(now_s)
        out = self._waiting.pop() if now_s >= self._due_s else []
        if out:
            self._due_s += self._every_s
        self._returned_s = time.perf_counter()
        return out

    def _begin_epoch(self, now_s: float) -> None:
        cpu_s = time.process_time()
        if self._returned_s:
            self._stream.cpu_s.append(cpu_s - self._began_cpu_s)
        self._waiting = next(self._epochs, [])
        if not self._waiting:
            raise StopIteration
        self._stream.stops_s.append(0.0)
        self._every_s = EPOCH_S / len(self._waiting)
        self._due_s = max(self._due_s, now_s)
        self._began_cpu_s = time.process_time()

    def next_awake(self) -> datetime | None:
        return None

    def snapshot(self) -> None:
        return None


class _PacedSource(FixedPartitionedSource[Any, None]):
    def __init__(self, epochs: Iterator[list[Any]], stream: Stream) -> None:
        self._partition = _Paced(epochs, stream)

    def list_parts(self) -> list[str]:
        return ["one"]

    def build_part(self, step_id: str, for_part: str, resume_state: None) -> _Paced:
        return self._partition


def _run(epochs: Iterator[list[Any]], build: Callable[[Any], Any], step: str, recovery: Path) -> Stream:
    stream = Stream([], [], 0.0)
    collect_garbage_rarely()
    flow = Dataflow(FLOW_ID)
    items = op.input("stream", flow, _PacedSource(epochs, stream))
    op.output("nowhere", op.stateful_batch(step, items, build), Nowhere())
    cli_main(flow, epoch_interval=timedelta(seconds=EPOCH_S), recovery_config=RecoveryConfig(recovery))
    return stream._replace(peak_mb=peak_mb())


def _fill(folder: Path, user_count: int) -> None:
    fill(folder, IDENTITY, digests(user_count, SECRET.encode()))


def _tacit(folder: Path, user_count: int, touched: int, epochs: int) -> Stream:
    """Run the stateful step over users of whom most are not in the cache."""
    rules, counters = Rules(NumberedCatalogue.load()), EventCounters()
    with (
        locked(folder, IDENTITY, rules.catalogue) as held,
        ShardStores(held.shards, SHARDS, rules.catalogue, held.execution) as stores,
    ):
        stream = _run(
            _answers(user_count, touched, epochs, rules.catalogue),
            lambda token: Adapt(stores, rules, counters, token, reclaims=True),
            ADAPT_STEP,
            held.recovery,
        )
    if counters.outcomes[Outcome.ACCEPTED] < touched * epochs:
        raise SystemExit(f"not every answer was accepted: {counters.outcomes}, {counters.rejects}")
    return stream


def _answers(user_count: int, touched: int, epochs: int, catalogue: NumberedCatalogue) -> Iterator[list[Any]]:
    """Yield an interval's batches of (shard, [packed answers]), one answer per touched user."""
    rng, users = random.Random(2), digests(user_count, SECRET.encode())
    for epoch in range(epochs):
        chosen = rng.sample(users, touched)
        yield [_grouped(chosen[first : first + BATCH], epoch, rng, catalogue) for first in range(0, len(chosen), BATCH)]


def _grouped(
    users: list[bytes], epoch: int, rng: random.Random, catalogue: NumberedCatalogue
) -> list[tuple[str, list[bytes]]]:
    groups: dict[int, list[bytes]] = {}
    for user in users:
        at_ms = END_MS + epoch * round(EPOCH_S * 1000)
        packed = pack(answer(user, at_ms, 1000 + epoch, rng, catalogue))
        groups.setdefault(shard_of(user, SHARDS), []).append(packed)
    return [(shard_key(shard), packed) for shard, packed in groups.items()]


# What Bytewax offers by itself


class _KeyedUser(StatefulBatchLogic[bytes, None, bytes]):
    """A key per user, whose state is as large as ours."""

    def __init__(self, packed: bytes) -> None:
        self._packed = packed

    def on_batch(self, values: list[bytes]) -> tuple[list[None], bool]:
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        return self._packed


def _plain(folder: Path, user_count: int, touched: int, epochs: int) -> Stream:
    folder.mkdir()
    init_db_dir(folder, 4)
    packed = codec.pack(full_person(Rules(NumberedCatalogue.load())))
    stream = _run(_keys(user_count, touched, epochs + 1), lambda saved: _KeyedUser(saved or packed), "people", folder)
    return stream._replace(stops_s=stream.stops_s[2:], cpu_s=stream.cpu_s[2:])  # the first fills, the second settles


def _keys(user_count: int, touched: int, epochs: int) -> Iterator[list[Any]]:
    rng, users = random.Random(2), [user.hex() for user in digests(user_count, SECRET.encode())]
    for chosen in (users, *(rng.sample(users, touched) for _ in range(epochs))):
        yield [[(user, b"") for user in chosen[first : first + BATCH]] for first in range(0, len(chosen), BATCH)]


# Costs, without the engine


class Costs(NamedTuple):
    """Of a worker whose cache holds a tenth of the users; CPU in µs."""

    hit_us: float
    miss_us: float
    resident_mb: float
    keep_us: float


def _costs(folder: Path, user_count: int, touched: int) -> Costs:
    rules, rng = Rules(NumberedCatalogue.load()), random.Random(5)
    users = digests(user_count, SECRET.encode())
    collect_garbage_rarely()
    with ShardStores(folder, SHARDS, rules.catalogue, "costs", user_count // 10) as stores:
        opened = {shard_of(user, SHARDS): user for user in users[:1000]}
        shards = {shard: stores.create(user) for shard, user in opened.items()}
        _put_all(shards, users, full_person(rules))
        chosen = rng.sample(users, user_count // 20)
        miss_us, hit_us = (_observe_us(shards, chosen, number, rules) for number in range(2))
        for user in rng.sample(users, user_count // 10):  # fill the cache
            shards[shard_of(user, SHARDS)].get(user)
        return Costs(hit_us, miss_us, resident_mb(), _keep_us(shards, users, touched, rng))


def _put_all(shards: dict[int, ShardStore], users: list[bytes], state: UserState) -> None:
    for user in users:
        store = shards[shard_of(user, SHARDS)]
        store.get(user)
        store.put(user, state)
        store.end_batch()
    for store in shards.values():
        store.snapshot()


def _observe_us(shards: dict[int, ShardStore], users: list[bytes], number: int, rules: Rules) -> float:
    """Return this thread's CPU for an answer of each of them."""
    rng = random.Random(number)
    answers = [answer(user, END_MS + number, 2000 + number, rng, rules.catalogue) for user in users]
    began_s = time.thread_time()
    for o in answers:
        store = shards[shard_of(o.user, SHARDS)]
        state = store.get(o.user) or UserState()
        state.observe(o, rules)
        store.put(o.user, state)
        store.end_batch()
        state.take_writes(o.user, rules.catalogue)
    return (time.thread_time() - began_s) / len(answers) * 1e6


def _keep_us(shards: dict[int, ShardStore], users: list[bytes], touched: int, rng: random.Random) -> float:
    """Return all threads' CPU for saving a touched user: packed, written, merged later, checkpoints made."""
    epochs = 10
    began_s, reading_s = time.process_time(), 0.0
    for _ in range(epochs):
        chosen = rng.sample(users, touched)
        for first in range(0, touched, 1000):
            before_s = time.thread_time()
            batch = [(shards[shard_of(user, SHARDS)], user) for user in chosen[first : first + 1000]]
            states = [(store, user, store.get(user)) for store, user in batch]
            reading_s += time.thread_time() - before_s
            for store, user, state in states:
                if state is not None:
                    store.put(user, state)
            for store in shards.values():
                store.end_batch()
        for store in shards.values():
            store.snapshot()
            store.begin_batch()
    return (time.process_time() - began_s - reading_s) / touched / epochs * 1e6


def _resume_s(folder: Path) -> float:
    """Return the time from the start of a process to the first signal it writes, everything read and verified."""
    events = folder / "events.jsonl"
    event = make_event(user_id="user-1", event_id="resumed", at=time.time_ns() // 1_000_000)
    events.write_bytes(json.dumps(event).encode() + b"\n")
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        words = [str(events), "--state", str(folder / "state"), "--redis", server.url]
        words += ["--rejects", str(folder / "rejects.jsonl")]
        began_s = time.perf_counter()
        with subprocess.Popen([str(TACIT), "replay", *words], env=environment(), stdout=subprocess.DEVNULL) as worker:
            while not client.dbsize() and worker.poll() is None:
                time.sleep(0.005)
            took_s = time.perf_counter() - began_s
    if worker.returncode:
        raise SystemExit(f"tacit replay ended with {worker.returncode}")
    return took_s


if __name__ == "__main__":
    main()
