"""Cost of reads and writes in Redis, compared with plain redis-py in the same run, and of sending events.

    python -m benchmarks.serving [--users N] [--json]

Each user has 8 facets, a profile and a gate. Redis is one server on loopback. The last part injects faults during
writes and reads (`benchmarks.serving_faults`). CPU is user and system time, of this process or of the server by its own
report. Compared measurements alternate, so that a slow moment of the machine affects both.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median, quantiles
from tempfile import TemporaryDirectory
from time import perf_counter, process_time, time_ns

import msgspec
import redis
from rich.console import Console
from rich.table import Table

from benchmarks import serving_faults
from benchmarks.machine import machine
from connectors.redis.signal_writer import PIPELINE_WRITES, SignalWriter
from connectors.redis.target import Target
from state.catalogue.numbered import NumberedCatalogue
from state.counters import SinkCounters
from state.user.writes import GateWrite, SignalWrite
from tacit import ActedOn, AsyncSignalReader, Catalogue, Emitter, EventFile, SignalReader, Turn
from tacit.contract.activity import Activity
from tacit.contract.gates import Gate, ScopeConsent
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym
from tacit.contract.signals import ContextValue, Profile, Session, Signal, encode
from tacit.contract.versions import version
from tacit.reader.circuit_breaker import FAILURES
from tacit_lab.embedded import EmbeddedRedis

SECRET = b"0123456789abcdef"
LIVE = RegionKeys("eu").within("live")
FACETS = 8
COMPACT = ("--hash-max-ziplist-value", "1024")
"""As docs/guides/operator.md has it: hashes of fields up to so many bytes are kept in one piece of memory."""
ROUNDS, READS = 20, 500
"""Each measurement is made of so many rounds of so many reads."""
MANY = 100
FIELDS = FACETS + 1


@dataclass(frozen=True, slots=True)
class Figure:
    """Measurement, with its target and the same in plain redis-py."""

    what: str
    unit: str
    value: float
    target: str = ""
    plain: float | None = None
    """The same in plain redis-py."""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.serving", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=20_000)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    with EmbeddedRedis(options=("--port", str(port), "--bind", "127.0.0.1", *COMPACT)):
        url = f"redis://127.0.0.1:{port}"
        figures = [*_writes(url, options.users), *_reads(url, options.users), *_async_reads(url, options.users)]
    figures += [*_reads_without_redis(url), *_sends(), *_starts()]
    if not options.json:
        _print(figures)
    outcomes = serving_faults.measure()
    if not options.json:
        Console(highlight=False, width=serving_faults.WIDTH).print("", serving_faults.table(outcomes), sep="\n")
        return
    result = {"figures": [asdict(figure) for figure in figures], "faults": [asdict(outcome) for outcome in outcomes]}
    print(json.dumps({"machine": machine(), **result}))


def _user(number: int) -> str:
    return f"user-{number}"


def _catalogue() -> NumberedCatalogue:
    """Return Copilot's catalogue with facets up to eight."""
    shipped = NumberedCatalogue.load()
    tone = shipped.facets["tone"]
    more = {f"tone-{number}": tone for number in range(FACETS - len(shipped.facets))}
    return msgspec.structs.replace(shipped, facets={**shipped.facets, **more})


def _content(at_ms: int, seq: int) -> tuple[tuple[str, bytes], ...]:
    """Return the fields of a user: a signal per facet, and a profile."""
    signals = [
        (
            name,
            encode(
                Signal(
                    version(at_ms, seq), facet.values[0], 0.812, 0.871, "apply", "learned", 41.5, facet.values[1], 0.09,
                    facet.default, 0.0258, (("thumbs_up", 12), ("copied", 7)), "m2.c1.p12", at_ms, 4.5,
                    (("thumbs_down", 2),),
                    (ContextValue("topic:email", facet.values[1], 0.83, "apply", facet.values[0]),),
                )
            ),
        )
        for name, facet in _catalogue().facets.items()
    ]  # fmt: skip
    profile = Profile(
        version(at_ms, seq), Activity(3, 17, 80), (("code", 0.61), ("email", 0.2), ("data", 0.1)),
        Session(at_ms, 4, 0.2), tuple(round(0.01 * hour, 2) for hour in range(24)), at_ms,
    )  # fmt: skip
    return (*signals, ("_profile", encode(profile)))


# Writing


def _writes(url: str, users: int) -> list[Figure]:
    """Fill a Redis, by the sink and by plain pipelines of HSET and PEXPIREAT in turns."""
    at_ms = time_ns() // 1_000_000
    content = _content(at_ms, 1)
    pseudonyms = [pseudonym(_user(number), SECRET) for number in range(users)]
    consent = ScopeConsent("granted", at_ms)
    gates = [GateWrite(user, Gate(learn=consent, use=consent, explore=consent)) for user in pseudonyms]
    writes = [SignalWrite(user, 0, at_ms, content) for user in pseudonyms]
    fields = dict(content)
    with closing(SignalWriter(Target(url, "eu"), SinkCounters())) as writer, redis.Redis.from_url(url) as client:
        writer.write(gates)
        empty = int(client.info("memory")["used_memory"])
        spent = {"ours": [0.0, 0.0, 0.0], "plain": [0.0, 0.0, 0.0]}
        for start in range(0, users, PIPELINE_WRITES):
            part = writes[start : start + PIPELINE_WRITES]
            _add(spent["ours"], client, lambda part=part: writer.write(part))  # type: ignore[misc]
        full = int(client.info("memory")["used_memory"])

        def plain(part: list[SignalWrite]) -> None:
            pipeline = client.pipeline(transaction=False)
            for write in part:
                key = LIVE.signals(write.user).replace("live", "plain")
                pipeline.hset(key, mapping=fields)
                pipeline.pexpireat(key, at_ms + 10**9)
            pipeline.execute()

        for start in range(0, users, PIPELINE_WRITES):
            part = writes[start : start + PIPELINE_WRITES]
            _add(spent["plain"], client, lambda part=part: plain(part))  # type: ignore[misc]
    facets = users * FIELDS
    (wall, cpu, server), (plain_wall, plain_cpu, plain_server) = spent["ours"], spent["plain"]
    return [
        Figure("write: fields a second", "1/s", facets / wall, "≥ 80,000", facets / plain_wall),
        Figure("write: CPU of the server", "µs/field", server / facets * 1e6, "≤ 8", plain_server / facets * 1e6),
        Figure("write: CPU of the worker", "µs/field", cpu / facets * 1e6, "", plain_cpu / facets * 1e6),
        Figure("memory of Redis", "KB/user", (full - empty) / users / 1000, "≤ 3"),
    ]


def _add(spent: list[float], client: redis.Redis, job: Callable[[], object]) -> None:
    """Add a job's time, its CPU here, and its CPU in the server."""
    server = _server_cpu_s(client)
    wall, cpu = perf_counter(), process_time()
    job()
    spent[0] += perf_counter() - wall
    spent[1] += process_time() - cpu
    spent[2] += _server_cpu_s(client) - server


def _server_cpu_s(client: redis.Redis) -> float:
    cpu = client.info("cpu")
    return float(cpu["used_cpu_user"]) + float(cpu["used_cpu_sys"])


# Reading


def _reads(url: str, users: int) -> list[Figure]:
    """Read one user and a hundred users, by the reader and by HGETALL in turns."""
    names = [_user(number * 7919 % users) for number in range(READS)]
    keys = [LIVE.signals(pseudonym(name, SECRET)) for name in names]
    ours, plain = _Reads(), _Reads()
    with (
        SignalReader(url, region="eu", secret=SECRET, catalogue=_catalogue()) as reader,
        redis.Redis.from_url(url, protocol=2) as client,
    ):
        if len(reader.get(names[0]).signals) != FACETS:
            raise RuntimeError("the reader does not see what was written")
        for _ in range(ROUNDS):
            ours.take([partial(reader.get, name) for name in names])
            plain.take([partial(client.hgetall, key) for key in keys])
        many, plain_many = _Reads(), _Reads()
        for _ in range(ROUNDS):
            many.take([lambda: reader.get_many(names[:MANY])] * 10)

            def hundred() -> None:
                pipeline = client.pipeline(transaction=False)
                for key in keys[:MANY]:
                    pipeline.hgetall(key)
                pipeline.execute()

            plain_many.take([hundred] * 10)
        chosen, adaptation = _Reads(), reader.get(names[0])
        for _ in range(ROUNDS):
            chosen.take([partial(adaptation.choose, name, topic="code") for name in names])
    ratio = ours.cpu_us / plain.cpu_us
    return [
        Figure("get: CPU", "µs", ours.cpu_us, "", plain.cpu_us),
        Figure("get: CPU, times a bare HGETALL", "", ratio, "≤ 1.9"),
        Figure("choose: CPU", "µs", chosen.cpu_us),
        Figure("get: p50", "ms", ours.percentile(50), "≤ 0.15", plain.percentile(50)),
        Figure("get: p99", "ms", ours.percentile(99), "≤ 1", plain.percentile(99)),
        Figure(f"get_many of {MANY}: p50", "ms", many.percentile(50), "≤ 4", plain_many.percentile(50)),
    ]


class _Reads:
    """Times of single calls, and CPU of all of them."""

    def __init__(self) -> None:
        self.times_ms: list[float] = []
        self._cpu_us: list[float] = []

    def take(self, calls: list[Callable[[], object]]) -> None:
        cpu = process_time()
        for call in calls:
            began = perf_counter()
            call()
            self.times_ms.append((perf_counter() - began) * 1e3)
        self._cpu_us.append((process_time() - cpu) / len(calls) * 1e6)

    @property
    def cpu_us(self) -> float:
        """Per call, the median round's."""
        return median(self._cpu_us)

    def percentile(self, percent: int) -> float:
        return quantiles(self.times_ms, n=100)[percent - 1]


def _async_reads(url: str, users: int) -> list[Figure]:
    names = [_user(number * 104_729 % users) for number in range(READS)]

    async def read() -> float:
        async with AsyncSignalReader(url, region="eu", secret=SECRET, catalogue=_catalogue()) as reader:
            await reader.get(names[0])
            rounds = []
            for _ in range(ROUNDS // 2):
                cpu = process_time()
                for name in names:
                    await reader.get(name)
                rounds.append((process_time() - cpu) / len(names) * 1e6)
            return median(rounds)

    return [Figure("get, asyncio: CPU", "µs", asyncio.run(read()))]


def _reads_without_redis(url: str) -> list[Figure]:
    """Read from a port without a server."""
    with SignalReader(url, region="eu", secret=SECRET) as reader:
        for _ in range(FAILURES):
            reader.get("ada")
        reads = _Reads()
        reads.take([lambda: reader.get("ada")] * 2_000)
    return [Figure("get without Redis: p99", "ms", reads.percentile(99), "≤ 1")]


def _sends() -> list[Figure]:
    """Send feedback through an emitter to a file, and count the CPU of the delivery, too."""
    catalogue, at_ms = Catalogue.load(), time_ns() // 1_000_000
    values = {name: facet.values[0] for name, facet in catalogue.facets.items()}
    followed = tuple(
        ActedOn(facet=name, value=value, version=version(at_ms, 1), propensity=0.95) for name, value in values.items()
    )
    turn = Turn("ada", "eu", "turn-1", values, followed, topic="code", surface="chat")
    figures = []
    with TemporaryDirectory() as folder:
        for what, names in (("send: CPU", None), ("send, with a catalogue: CPU", catalogue)):
            sends = _Reads()
            with Emitter(EventFile(f"{folder}/events.jsonl"), catalogue=names) as emitter:
                for _ in range(ROUNDS):
                    events = [turn.feedback("thumbs_up") for _ in range(READS)]
                    sends.take([*[partial(emitter.send, event) for event in events], emitter.flush])
            figures.append(Figure(what, "µs", sends.cpu_us, "≤ 20"))
        figures.append(Figure("send: p99 of the call", "ms", sends.percentile(99), "≤ 1"))
    return figures


def _starts() -> list[Figure]:
    """Return import times in new interpreters, the best of five."""
    make = "from tacit import SignalReader; SignalReader('redis://', region='eu', secret='0123456789abcdef')"
    spent = {}
    for what in ("import tacit", "import redis", make):
        code = f"import time; t = time.perf_counter(); {what}; print((time.perf_counter() - t) * 1e3)"
        command = [sys.executable, "-c", code]
        spent[what] = min(float(subprocess.run(command, capture_output=True, check=True).stdout) for _ in range(5))
    return [
        Figure("import of the reader", "ms", spent["import tacit"], "≤ 80"),
        Figure("the same, and the first reader made", "ms", spent[make], "", spent["import redis"]),
    ]


def _print(figures: list[Figure]) -> None:
    console = Console(highlight=False, width=serving_faults.WIDTH)
    console.print(machine())
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("", "unit", "Tacit", "plain redis-py", "target", ""):
        table.add_column(heading, justify="left" if heading in ("", "unit") else "right")
    for figure in figures:
        plain = "" if figure.plain is None else _number(figure.plain)
        is_met = not figure.target or _is_met(figure)
        table.add_row(figure.what, figure.unit, _number(figure.value), plain, figure.target, "" if is_met else "missed")
    console.print(table)


def _is_met(figure: Figure) -> bool:
    sign, _, bound = figure.target.partition(" ")
    limit = float(bound.replace(",", ""))
    return figure.value >= limit if sign == "≥" else figure.value <= limit


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.1f}" if value >= 10 else f"{value:.3f}"


if __name__ == "__main__":
    main()
