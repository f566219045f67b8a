"""Faults of Redis during 1,000 writes of signals and 200 reads per second: losses, and time to recover.

Part of `python -m benchmarks.serving`, or alone: `python -m benchmarks.serving_faults [--json]`.

The writer is the sink of workers in a process of its own; signals that cannot be written yet wait, as in a source.
The reader reads all users in turn. After each fault, the benchmark looks in Redis for all acknowledged signals.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from statistics import quantiles
from threading import Event, Thread
from time import monotonic, sleep, time_ns
from typing import NamedTuple

import redis
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from dataflows.observability.logs import configure
from state.counters import SinkCounters
from state.user.writes import SignalWrite
from tacit import SignalReader
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym
from tacit.contract.signals import Signal, decode_signal, encode
from tacit.contract.versions import version
from tests.support.redis_faults import fragile_redis, redis_pair
from tests.support.redis_server import BINARIES

SECRET = b"0123456789abcdef"
LIVE = RegionKeys("eu").within("live")
USER_COUNT = 1_000
NAMES = [f"user-{number}" for number in range(USER_COUNT)]
USERS = [pseudonym(name, SECRET) for name in NAMES]
RATE = 1_000
"""Signals per second."""
READS = 200
BEFORE_S, AFTER_S = 2.0, 2.0
WIDTH = 120
MAX_S = 60.0
"""Longest time for a writer to catch up."""


class Fault(NamedTuple):
    """Fault of Redis."""

    what: str
    url: str
    begin: Callable[[], object]
    held_s: float
    end: Callable[[], object]
    connect: Callable[[], redis.Redis]
    """Return a client of the server that has all data afterwards."""


class Acknowledged(NamedTuple):
    """Time at which Redis had acknowledged all sent signals."""

    at_s: float
    signals: int
    waiting: int
    """Signals due at that time and not sent yet."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a fault. Times count from the end of the fault."""

    what: str
    held_s: float
    first_write_s: float
    """Until the first acknowledged write."""
    caught_up_s: float
    """Until no signal was waiting."""
    written: int
    lost: int
    """Users with a signal in Redis that is older than the acknowledged one."""
    older: int
    """Reads with an older version than an earlier read."""
    reads: int
    read_p50_ms: float
    """During the fault."""
    read_max_ms: float
    """During the whole measurement."""
    raised: int


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving_faults", description=__doc__.split("\n")[0])
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    outcomes = measure()
    if options.json:
        print(json.dumps({"machine": machine(), "outcomes": [asdict(outcome) for outcome in outcomes]}))
    else:
        console = Console(highlight=False, width=WIDTH)
        console.print(machine())
        console.print(table(outcomes))


def measure() -> list[Outcome]:
    """Measure each fault in turn; takes a minute."""
    outcomes = []
    for make in (_restarted, _killed, _paused, _full, _read_only, _failed_over):
        with tempfile.TemporaryDirectory() as folder, make(Path(folder)) as fault:
            outcomes.append(_measure(fault))
    return outcomes


# Faults


@contextmanager
def _restarted(folder: Path) -> Iterator[Fault]:
    with fragile_redis(folder, ("--appendonly", "yes")) as server:
        yield Fault("stopped and started", server.url, server.stop, 2, server.start, lambda: server.client)


@contextmanager
def _killed(folder: Path) -> Iterator[Fault]:
    with fragile_redis(folder, ("--appendonly", "yes", "--appendfsync", "always")) as server:
        yield Fault("killed and started", server.url, server.kill, 2, server.start, lambda: server.client)


@contextmanager
def _paused(folder: Path) -> Iterator[Fault]:
    with fragile_redis(folder) as server:
        yield Fault("paused", server.url, server.pause, 20, server.resume, lambda: server.client)


@contextmanager
def _full(folder: Path) -> Iterator[Fault]:
    with fragile_redis(folder) as server:

        def limit(size: int) -> Callable[[], object]:
            return lambda: server.client.config_set("maxmemory", size)

        yield Fault("out of memory", server.url, limit(1), 5, limit(0), lambda: server.client)


@contextmanager
def _read_only(folder: Path) -> Iterator[Fault]:
    with fragile_redis(folder) as server:

        def follow(host: str, port: str) -> Callable[[], object]:
            return lambda: server.client.replicaof(host, port)

        yield Fault("read-only", server.url, follow("127.0.0.1", "1"), 5, follow("NO", "ONE"), lambda: server.client)


@contextmanager
def _failed_over(folder: Path) -> Iterator[Fault]:
    with redis_pair(BINARIES["redis-6.2"], folder) as pair:
        yield Fault("failed over to a replica", pair.url, pair.fail_over, 0, lambda: None, lambda: pair.replica)


# Measuring


def _measure(fault: Fault) -> Outcome:
    context = get_context("spawn")
    ours, theirs = context.Pipe()
    start_ms = time_ns() // 1_000_000
    writer = context.Process(target=_write, args=(fault.url, start_ms, theirs), daemon=True)
    writer.start()
    ours.recv()  # the writer runs
    with _Reads(fault.url) as reads:
        sleep(BEFORE_S)
        away_s = monotonic()
        fault.begin()
        sleep(fault.held_s)
        fault.end()
        back_s = monotonic()
        acknowledged = _until_caught_up(ours, back_s)
        sleep(AFTER_S)
    ours.send("stop")
    written: int = acknowledged[-1].signals
    while isinstance(message := ours.recv(), Acknowledged):
        written = message.signals
    writer.join()
    first, caught_up = _recovery(acknowledged, back_s)
    return Outcome(
        fault.what, back_s - away_s, first, caught_up, written, _lost(fault.connect(), start_ms, written),
        reads.older, len(reads.took), reads.p50_ms(away_s, back_s), max(ms for _, ms in reads.took), reads.raised,
    )  # fmt: skip


def _write(url: str, start_ms: int, pipe: Connection) -> None:
    """Write a signal per millisecond, and report each time when all due signals are acknowledged."""
    configure("error")
    with closing(SignalWriter(Target(url, "eu"), SinkCounters())) as writer:
        sent, began_s = 0, monotonic()
        pipe.send("begun")
        while not pipe.poll():
            due = int((monotonic() - began_s) * RATE)
            if due - sent < RATE // 50:
                sleep(0.005)
                continue
            writer.write([_write_of(seq, start_ms) for seq in range(sent, min(due, sent + RATE))])
            sent = min(due, sent + RATE)
            pipe.send(Acknowledged(monotonic(), sent, int((monotonic() - began_s) * RATE) - sent))
    pipe.send("stopped")


def _write_of(seq: int, start_ms: int) -> SignalWrite:
    at_ms = start_ms + seq
    stored = Signal(
        version(at_ms, seq), "concise", 0.9, 0.9, "apply", "learned", 9.0, "balanced", 0.1, "balanced", 0.02,
        (("thumbs_up", 9),), "m2.c1.p0", at_ms,
    )  # fmt: skip
    return SignalWrite(USERS[seq % USER_COUNT], 0, at_ms, (("length", encode(stored)),))


def _until_caught_up(pipe: Connection, back_s: float) -> list[Acknowledged]:
    seen: list[Acknowledged] = []
    while pipe.poll(MAX_S):
        seen.append(pipe.recv())
        if seen[-1].at_s > back_s and seen[-1].waiting < RATE // 10:
            return seen
    raise RuntimeError(f"no write was acknowledged for {MAX_S:g} s")


def _recovery(acknowledged: list[Acknowledged], back_s: float) -> tuple[float, float]:
    """Return the seconds from the end of the fault to the first acknowledged write, and to the last waiting one."""
    times_s = [report.at_s - back_s for report in acknowledged if report.at_s > back_s]
    return times_s[0], times_s[-1]


def _lost(client: redis.Redis, start_ms: int, written: int) -> int:
    lost = 0
    for seq in range(max(0, written - USER_COUNT), written):
        held = client.hget(LIVE.signals(USERS[seq % USER_COUNT]), "length")
        raw = held.encode() if isinstance(held, str) else held
        lost += raw is None or decode_signal(raw).v < version(start_ms + seq, seq)
    return lost


class _Reads:
    """Thread that reads all users in turn, again and again."""

    def __init__(self, url: str) -> None:
        self.took: list[tuple[float, float]] = []
        """(moment, ms)"""
        self.older = 0
        self.raised = 0
        self._newest: dict[str, str] = {}
        self._stop = Event()
        self._thread = Thread(target=self._read, args=(url,))

    def __enter__(self) -> "_Reads":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def p50_ms(self, since_s: float, until_s: float) -> float:
        meanwhile = [ms for at_s, ms in self.took if since_s <= at_s <= until_s]
        return quantiles(meanwhile, n=2)[0] if len(meanwhile) > 1 else 0.0

    def _read(self, url: str) -> None:
        with SignalReader(url, region="eu", secret=SECRET) as reader:
            while not self._stop.wait(1 / READS):
                name = NAMES[len(self.took) % USER_COUNT]
                began_s = monotonic()
                try:
                    adaptation = reader.get(name)
                except Exception:  # counted, as a reader must not raise
                    self.raised += 1
                    continue
                self.took.append((began_s, (monotonic() - began_s) * 1e3))
                with suppress(KeyError):
                    newest = adaptation.signals["length"].v
                    self.older += newest < self._newest.get(name, "")
                    self._newest[name] = newest


def table(outcomes: list[Outcome]) -> Table:
    """Return a table with a line per outcome."""
    found = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in (
        "Redis is", "for s", "first write\nafter s", "caught up\nafter s", "signals", "lost", "older", "reads",
        "p50 ms\nmeanwhile", "max ms", "raised",
    ):  # fmt: skip
        found.add_column(heading, justify="left" if heading == "Redis is" else "right", vertical="bottom", no_wrap=True)
    for one in outcomes:
        found.add_row(
            one.what, f"{one.held_s:.1f}", f"{one.first_write_s:.2f}", f"{one.caught_up_s:.2f}", f"{one.written:,}",
            str(one.lost), str(one.older), f"{one.reads:,}", f"{one.read_p50_ms:.3f}", f"{one.read_max_ms:.0f}",
            str(one.raised),
        )  # fmt: skip
    return found


if __name__ == "__main__":
    main()
