"""CPU per event of the whole path, of each stage, and of the same job in stock operators, measured in one run.

    python -m benchmarks.cost [--users N] [--turns N] [--stock-events N] [--json]

CPU is user and system time of Tacit's processes, without the start of Python and without the Redis server. Each stage
is timed alone on the same stream. The cost of the engine is the whole path minus the stages.
"""

import argparse
import json
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from threading import Event
from time import perf_counter, process_time

from bytewax.testing import run_main
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine, peak_mb
from benchmarks.processes import in_new_process
from benchmarks.stock import build_stock
from connectors.files.reject_sink import FileRejectSink
from connectors.files.source import FileSource, FilesPartition
from connectors.redis.signal_sink import RedisSink
from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Mode, Target
from dataflows.job import Job
from dataflows.observability.logs import configure
from dataflows.runtime.replay import replay
from dataflows.runtime.worker import collect_garbage_rarely
from dataflows.settings import load
from operators.adapt import Adapt
from operators.learn_population import LearnPopulation
from operators.parse import Parser
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters
from state.events.records import Record, Reject
from state.learning.example import pack_message
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_trainer import PopulationTrainer
from state.storage.shard_stores import ShardStores
from state.user.rules import Rules
from state.user.writes import Write
from tacit_lab.embedded import EmbeddedRedis
from tacit_lab.simulate import Scenario, simulate
from tacit_lab.simulate.output import write_events

SECRET = b"0123456789abcdef"
SHARDS = 16
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Cost:
    """One measurement."""

    name: str
    events: int
    cpu_us: float
    """Per event."""
    wall_s: float
    peak_mb: float


def main() -> None:
    """Measure, and print the table or the JSON."""
    options = _options()
    with tempfile.TemporaryDirectory(prefix="tacit-bench-") as folder:
        stream = Path(folder) / "events.jsonl"
        _write_stream(stream, options.users, options.turns)
        short = Path(folder) / "short.jsonl"
        with stream.open("rb") as lines:
            short.write_bytes(b"".join(islice(lines, options.stock_events)))
        whole_paths = [in_new_process(_whole_path, stream, 1), in_new_process(_whole_path, stream, 2)]
        stages = in_new_process(_stages, stream)
        short_path = in_new_process(_whole_path, short, 1)
        stock = in_new_process(_stock, short)
    if options.json:
        costs = [asdict(cost) for cost in (*whole_paths, *stages, short_path, stock)]
        print(json.dumps({"machine": machine(), "costs": costs}))
        return
    _print(whole_paths, stages, short_path, stock)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=2000, help="simulated users (default: %(default)s)")
    parser.add_argument("--turns", type=int, default=60_000, help="simulated answers (default: %(default)s)")
    parser.add_argument(
        "--stock-events",
        type=int,
        default=15_000,
        help="events for stock operators, which are slow (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser.parse_args()


def _write_stream(path: Path, users: int, turns: int) -> None:
    simulation = simulate(Scenario(end_ms=time.time_ns() // 1_000_000, users=users, turns=turns))
    write_events(simulation.events, str(path))


def _whole_path(stream: Path, processes: int) -> Cost:
    """Replay a file to Redis as `tacit replay` does, without checkpoints."""
    configure("error")
    with EmbeddedRedis() as server:
        flags = {"embedded": True, "redis": server.url, "ttl": "none", "metrics": "off", "processes": processes}
        settings = load(flags | {"rejects": str(stream.with_name("rejects.jsonl")), "log_level": "error"})
        done = replay(Job(settings, (stream,), bounded=True), lambda _: None)
    read = done.counters.source.records
    name = "file to Redis, 1 process" if processes == 1 else f"file to Redis, {processes} processes"
    return Cost(name, read, done.counters.cpu_s / read * 1e6, done.wall_s, peak_mb())


class _Clock:
    """CPU time in seconds, summed by stage."""

    def __init__(self) -> None:
        self.cpu_s: dict[str, float] = {}

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        before = process_time()
        yield
        self.cpu_s[name] = self.cpu_s.get(name, 0.0) + process_time() - before


def _stages(stream: Path) -> list[Cost]:
    """Run the job batch by batch without the engine, and time each stage."""
    counters, clock, catalogue = Counters(), _Clock(), NumberedCatalogue.load()
    parser = Parser(catalogue=catalogue, region="eu", secret=SECRET, shards=SHARDS, counters=counters.events)
    rules, shared = Rules(catalogue, ttl_ms=None, teaches=True, proves=True), CurrentPrior(Prior(catalogue))
    learn = LearnPopulation(
        PopulationTrainer(catalogue), lambda prior: setattr(shared, "prior", prior), counters.learning, at_end=True
    )
    shards: dict[str, Adapt] = {}
    source = FileSource([stream], stop=Event(), counters=counters.source, batch_size=BATCH)
    collect_garbage_rarely()  # a worker does the same
    lines = source.build_part("source", "files", None)
    with EmbeddedRedis() as server, ShardStores(None, SHARDS, catalogue) as stores:
        writer = SignalWriter(Target(server.url, "eu", mode=Mode.FILL, ttl_ms=None), counters.sink)
        while batch := _next_batch(lines, clock):
            with clock.stage("parse, validate, group"):
                groups = [group for group in parser(batch) if not isinstance(group, Reject)]
            writes: list[Write] = []
            for key, packed in groups:
                if key not in shards:
                    shards[key] = Adapt(stores, rules, counters.events, shared=shared)
                with clock.stage("observe"):
                    touched, _ = shards[key].observe([packed])
                with clock.stage("encode signals"):
                    writes += shards[key].take_writes(touched)
                with clock.stage("train the population model"):
                    learn.on_batch([[pack_message(message) for message in shards[key].take_messages()]])
            with clock.stage("Redis write"):
                writer.write(writes)
    read = counters.source.records
    return [Cost(f"  {name}", read, cpu_s / read * 1e6, 0.0, 0.0) for name, cpu_s in clock.cpu_s.items()]


def _next_batch(lines: FilesPartition, clock: _Clock) -> list[Record]:
    with clock.stage("read"):
        try:
            return lines.next_batch()
        except StopIteration:
            return []


def _stock(stream: Path) -> Cost:
    """Replay a file to Redis in stock operators, without checkpoints."""
    configure("error")
    counters, catalogue = Counters(), NumberedCatalogue.load()
    parser = Parser(catalogue=catalogue, region="eu", secret=SECRET, shards=SHARDS, counters=counters.events)
    source = FileSource([stream], stop=Event(), counters=counters.source, batch_size=BATCH)
    with EmbeddedRedis() as server:
        target = Target(server.url, "eu", mode=Mode.FILL, ttl_ms=None)
        sink = RedisSink(target, counters.sink, lambda: FileRejectSink(stream.with_suffix(".rejects")))
        flow = build_stock(source, parser, catalogue, sink)
        wall, cpu = perf_counter(), process_time()
        run_main(flow)
        wall_s, cpu_s = perf_counter() - wall, process_time() - cpu
    read = counters.source.records
    return Cost("stock operators, 1 process", read, cpu_s / read * 1e6, wall_s, peak_mb())


def _print(whole_paths: list[Cost], stages: list[Cost], short: Cost, stock: Cost) -> None:
    console = Console(highlight=False)
    console.print(machine())
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("", "events", "CPU µs/event", "events/s", "peak MB"):
        table.add_column(heading, justify="right" if heading else "left")

    def row(cost: Cost, *, note: str = "") -> None:
        rate = f"{cost.events / cost.wall_s:,.0f}" if cost.wall_s else ""
        peak = f"{cost.peak_mb:.0f}" if cost.peak_mb else ""
        table.add_row(cost.name + note, f"{cost.events:,}", f"{cost.cpu_us:.1f}", rate, peak)

    one, two = whole_paths
    row(one)
    for stage in stages:
        row(stage)
    engine = one.cpu_us - sum(stage.cpu_us for stage in stages)
    table.add_row("  engine and remainder (difference)", "", f"{engine:.1f}", "", "")
    row(two)
    row(short, note=", short stream")
    row(stock, note=", short stream")
    console.print(table)
    console.print(f"2 processes use {two.cpu_us / one.cpu_us:.2f} times the CPU per event of 1 process")
    console.print(f"stock operators use {stock.cpu_us / short.cpu_us:.1f} times the CPU per event of Tacit")


if __name__ == "__main__":
    main()
