"""Cost per event of commands that process the same stream, each in the same run as a bare River step.

A contender runs on the beginning of a stream and on the whole stream. The difference of the two is divided by the
events by which they differ, so the start of processes and of databases is no part of a cost.
"""

import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import nan
from pathlib import Path
from statistics import median
from time import process_time
from typing import NamedTuple

import redis
from river.linear_model import AdPredictor

from benchmarks.peers.job import alternatives, features, key_of, parse
from benchmarks.process_tree import usage
from benchmarks.streams import Sources, Stream
from tacit_lab.embedded import EmbeddedRedis

ROOT = Path(__file__).parent.parent
TACIT = Path(sys.executable).with_name("tacit")
RIVER_STEPS = 10_000


@dataclass(frozen=True)
class Contender:
    """A way to process a stream into Redis."""

    name: str
    command: Callable[[str, str, Path], Sequence[str]]
    """Command line for a source, the URL of a Redis, and a folder for files."""
    sources: Sources | None = None
    """Other sources than the files of the stream."""
    variables: Mapping[str, str] = field(default_factory=dict)


class Cost(NamedTuple):
    """Cost of a contender, without the start."""

    river_steps: float
    """CPU per event of all processes, as a multiple of a bare River step in the same seconds."""
    events_per_s: float
    start_cpu_s: float
    river_us: float
    """CPU of a bare River step."""

    @property
    def cpu_us(self) -> float:
        """CPU per event."""
        return self.river_steps * self.river_us


class Results(NamedTuple):
    """Measurements of contenders by name."""

    costs: Mapping[str, Cost]
    signals: Mapping[str, Mapping[str, str]]
    """Signals of the peers' job that each contender left in Redis, by key."""


def measure_all(contenders: Sequence[Contender], stream: Stream, folder: Path, rounds: int) -> Results:
    """Measure contenders in turns; standard error shows the progress.

    Raises:
        CommandFailedError: a contender failed.
    """
    runs: dict[str, list[_Pair]] = {contender.name: [] for contender in contenders}
    for number in range(rounds):
        for contender in contenders:
            short, whole = (_run(contender, source, stream, folder) for source in contender.sources or stream.files)
            runs[contender.name].append(_Pair(short, whole))
            cost = _cost([_Pair(short, whole)], stream)
            progress = f"{stream.title}, round {number + 1}, {contender.name}: {cost.river_steps:.1f} × River step"
            print(progress, file=sys.stderr, flush=True)
    costs = {name: _cost(pairs, stream) for name, pairs in runs.items()}
    return Results(costs, {name: pairs[-1].whole.signals for name, pairs in runs.items()})


def _cost(pairs: Sequence["_Pair"], stream: Stream) -> Cost:
    """Return the cost of the events that the median whole run has above the median short run."""
    shorts, wholes = [pair.short for pair in pairs], [pair.whole for pair in pairs]
    short_steps = median(run.river_steps for run in shorts)
    steps = (median(run.river_steps for run in wholes) - short_steps) / stream.measured
    wall_s = median(run.wall_s for run in wholes) - median(run.wall_s for run in shorts)
    river_us = median(run.river_us for run in (*shorts, *wholes))
    start_cpu_s = (short_steps - steps * stream.short_events) * river_us / 1e6
    return Cost(steps, stream.measured / wall_s if wall_s > 0 else nan, start_cpu_s, river_us)


def try_out(contender: Contender, stream: Stream, folder: Path) -> None:
    """Run a contender on the beginning of a stream.

    Raises:
        CommandFailedError: the contender failed.
    """
    _run(contender, (contender.sources or stream.files).short, stream, folder)


class _Run(NamedTuple):
    """One run of a contender, start included."""

    river_steps: float
    """CPU as a multiple of a bare River step right before and after the run: the machine's speed changes."""
    river_us: float
    wall_s: float
    signals: Mapping[str, str]


class _Pair(NamedTuple):
    """Runs of a contender on the beginning and on the whole stream."""

    short: _Run
    whole: _Run


def _run(contender: Contender, source: str, stream: Stream, folder: Path) -> _Run:
    """Run a contender with an empty Redis, whose CPU is not counted."""
    events = Path(stream.files.whole)
    before_us = river_step_us(events)
    with EmbeddedRedis() as server:
        command = contender.command(source, server.url, folder)
        used = usage(command, _environment() | dict(contender.variables), folder / "log")
        signals = _signals(server.url)
    river_us = (before_us + river_step_us(events)) / 2
    return _Run(used.cpu_s * 1e6 / river_us, river_us, used.wall_s, signals)


def _environment() -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TACIT_")}
    return kept | {"PYTHONPATH": str(ROOT), "TACIT_SECRET": "a secret of the benchmarks"}


def _signals(url: str) -> dict[str, str]:
    with redis.Redis.from_url(url, decode_responses=True) as client:
        keys = list(client.scan_iter(match=key_of("*"), count=1000))
        return dict(zip(keys, client.mget(keys), strict=True)) if keys else {}


def river_step_us(path: Path) -> float:
    """Return the CPU per event of River alone: features, one `learn_one` and three predictions of the user's model."""
    with path.open("rb") as lines:
        events = list(islice(filter(None, map(parse, lines)), RIVER_STEPS))
    models: dict[str, AdPredictor] = {}
    started_s = process_time()
    for number, event in enumerate(events):
        model = models.get(event["user_id"])
        if model is None:
            model = models[event["user_id"]] = AdPredictor()
        model.learn_one(features(event["served"]), number % 2 == 0)
        for x in alternatives(event["served"]):
            model.predict_proba_one(x)
    return (process_time() - started_s) / len(events) * 1e6


def bytewax_contender(name: str, build: str = "build") -> Contender:
    """Return the peers' job on Bytewax, by a function of its module."""

    def command(source: str, url: str, _folder: Path) -> Sequence[str]:
        return (sys.executable, "-m", "bytewax.run", f"benchmarks.peers.bytewax_job:{build}({source!r}, {url!r})")

    return Contender(name, command)


def tacit_contender(stream: Stream, population: str, processes: int = 1, sources: Sources | None = None) -> Contender:
    """Return `tacit replay` of a stream; `sources` are topics in place of the files."""

    def command(source: str, url: str, folder: Path) -> Sequence[str]:
        options = {
            "--redis": url,
            "--namespace": "benchmark",
            "--ttl": "none",
            "--population": population,
            "--processes": str(processes),
            "--catalogue": str(stream.catalogue),
            "--rejects": str(folder / "rejects.jsonl"),
        }
        return (str(TACIT), "replay", source, *(word for option in options.items() for word in option))

    return Contender(tacit_name(population, processes, from_kafka=sources is not None), command, sources)


def tacit_name(population: str, processes: int, *, from_kafka: bool = False) -> str:
    """Return the name of a contender of `tacit_contender`."""
    plural = "es" if processes > 1 else ""
    return f"Tacit, population {population}, {processes} process{plural}{', from Kafka' if from_kafka else ''}"
