"""Live runs of one stream with 1, 2 and 4 processes, and on 3 hosts: CPU, bytes between processes, log loss.

    python -m benchmarks.scaling [--events N] [--rounds N]

The stream of the demo is in a topic of 8 partitions before a run starts; the population learns along. Figures are of
the time between the first tenth of the records and the last, so the start is no part of them: CPU of all processes per
event, with RocksDB, Bytewax and the exchange, without Redis and Kafka; the share of the keyed step, which one process
of a run has; bytes that processes send to each other; population versions per minute of the run; the log loss of all
predictions at the end. Layouts take turns, and medians of all rounds are printed. Hosts are loopback addresses of this
machine, so all layouts share its cores. The benchmark needs the broker of the tests, and is skipped without it.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.request import urlopen

from rich.console import Console
from rich.table import Table

from benchmarks.cost_table import plain_table
from benchmarks.machine import machine
from benchmarks.process_tree import CommandFailedError
from benchmarks.scaling_worker import FOLDER, SECONDS
from benchmarks.streams import Stream, demo_stream
from benchmarks.topics import topic_of
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import environment
from tests.support.conditions import eventually
from tests.support.kafka_broker import started_broker
from tests.support.kafka_jars import BrokerUnavailableError
from tests.support.ports import free_port

PARTITIONS = 8
WITHIN_S = 300
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


_HEADINGS = (
    "", "CPU µs/event", "× 1 process", "events/s", "× 1 process", "keyed step", "sent B/event", "versions/min",
    "log loss",
)  # fmt: skip


class Layout(NamedTuple):
    """Processes of a run."""

    name: str
    processes: int = 1
    hosts: int = 1


LAYOUTS = (
    Layout("1 process"),
    Layout("2 processes", 2),
    Layout("4 processes", 4),
    Layout("3 hosts", 1, 3),
)


class Figures(NamedTuple):
    """Measurements of one run."""

    cpu_us: float
    """CPU per event of all processes."""
    events_per_s: float
    step_us: float
    """CPU per event in the keyed step."""
    sent_bytes: float
    """Bytes per event that processes send to each other."""
    versions_per_min: float
    log_loss: float


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=200_000, help="events, about (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    options = parser.parse_args()
    console = Console(highlight=False, width=120)
    console.print(machine())
    try:
        with tempfile.TemporaryDirectory(prefix="tacit-bench-") as name, contextmanager(started_broker)() as broker:
            folder = Path(name)
            stream = demo_stream(folder, options.events)
            source = topic_of(Path(stream.files.whole), broker, PARTITIONS)
            console.print(_table(stream, _measure_all(source, stream, folder, options.rounds)))
    except BrokerUnavailableError as error:
        console.print(f"skipped: {error}")


def _measure_all(source: str, stream: Stream, folder: Path, rounds: int) -> dict[Layout, Figures]:
    found: dict[Layout, list[Figures]] = {layout: [] for layout in LAYOUTS}
    for number in range(rounds):
        for layout in LAYOUTS:
            with tempfile.TemporaryDirectory(dir=folder) as place, EmbeddedRedis() as server:
                figures = _measure(layout, source, server.url, stream, Path(place))
            found[layout].append(figures)
            print(f"round {number + 1}, {layout.name}: {figures.cpu_us:.1f} µs", file=sys.stderr, flush=True)
    return {layout: Figures(*map(median, zip(*runs, strict=True))) for layout, runs in found.items()}


def _table(stream: Stream, found: dict[Layout, Figures]) -> Table:
    title = f"{stream.events:,} events of the demo's stream in {PARTITIONS} partitions"
    table = plain_table(title, _HEADINGS)
    one = found[LAYOUTS[0]]
    for layout, figures in found.items():
        table.add_row(
            layout.name,
            f"{figures.cpu_us:.1f}",
            f"{figures.cpu_us / one.cpu_us:.2f}",
            f"{figures.events_per_s:,.0f}",
            f"{figures.events_per_s / one.events_per_s:.2f}",
            f"{figures.step_us / figures.cpu_us:.1%}",
            f"{figures.sent_bytes:.0f}",
            f"{figures.versions_per_min:.0f}",
            f"{figures.log_loss:.4f}",
        )
    return table


class _Moment(NamedTuple):
    """Use of the machine by all processes of a run, at one moment."""

    at_s: float
    records: int
    cpu_s: float
    step_s: float
    sent_bytes: int
    version: int


class _Run:
    """A run of a layout."""

    def __init__(self, layout: Layout, source: str, redis_url: str, stream: Stream, folder: Path) -> None:
        ports = [[free_port() for _ in range(layout.processes)] for _ in range(layout.hosts)]
        self._metrics = [f"127.0.0.1:{first + number}" for first, *_ in ports for number in range(layout.processes)]
        self._folder = folder
        hosts = ",".join(f"127.0.1.{number + 1}:{free_port()}" for number in range(layout.hosts))
        self._commands = []
        for number, (first, *_) in enumerate(ports):
            own = folder / str(number)
            own.mkdir()
            options = {
                "--redis": redis_url,
                "--state": str(own / "state"),
                "--metrics": f"127.0.0.1:{first}",
                "--rejects": str(own / "rejects.jsonl"),
                "--catalogue": str(stream.catalogue),
                "--processes": str(layout.processes),
                "--population": "learn",
                "--start": "earliest",
            } | ({"--hosts": hosts, "--host": str(number)} if layout.hosts > 1 else {})
            words = [word for option in options.items() for word in option]
            self._commands.append([sys.executable, "-m", "benchmarks.scaling_worker", "run", source, *words])
        self._running: list[subprocess.Popen[bytes]] = []

    @contextmanager
    def started(self) -> Iterator[None]:
        """Run the commands while the context lasts."""
        with ExitStack() as stack:
            log = stack.enter_context((self._folder / "log").open("wb"))
            variables = environment() | {FOLDER: str(self._folder)}
            for command in self._commands:
                process = subprocess.Popen(command, env=variables, stdout=log, stderr=log, start_new_session=True)
                self._running.append(process)
            try:
                yield
            finally:
                for process in self._running:
                    process.terminate()
                for process in self._running:
                    process.wait(60)

    def records(self) -> int:
        """Return the records that all processes have read."""
        return round(sum(self._sums("tacit_records_total")))

    def moment(self) -> _Moment:
        """Return the use of the machine so far."""
        pids = self._pids()
        files = [path for path in self._folder.iterdir() if path.name.isdigit() and path.is_file()]
        steps = (SECONDS.unpack(data)[0] for path in files if len(data := path.read_bytes()) == SECONDS.size)
        return _Moment(
            time.perf_counter(), self.records(), sum(map(_cpu_s, pids)), sum(steps), _sent_bytes(pids),
            round(max(self._sums("tacit_population_version"), default=0)),
        )  # fmt: skip

    def log_loss(self) -> float:
        """Return the log loss of the deployed model, of the process that has the keyed step."""
        return max(self._sums("tacit_log_loss", 'model="deployed"'), default=0.0)

    def is_alive(self) -> bool:
        """Return True while no command has ended."""
        return all(process.poll() is None for process in self._running)

    def log(self) -> str:
        """Return the end of the output."""
        return (self._folder / "log").read_text(errors="replace")[-2000:]

    def _pids(self) -> list[int]:
        groups = {process.pid for process in self._running}
        pids = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
        return [pid for pid in pids if (stat := _stat(pid)) and int(stat[3]) in groups]

    def _sums(self, name: str, label: str = "") -> list[float]:
        """Return the values of a metric, of all processes of all hosts."""
        found = []
        for address in self._metrics:
            try:
                with urlopen(f"http://{address}/metrics", timeout=5) as answer:  # a loopback address
                    text = answer.read().decode()
            except OSError:
                continue
            for labels, value in re.findall(rf"^{name}(?:\{{(.*)\}})? (\S+)$", text, re.MULTILINE):
                if label in labels:
                    found.append(float(value))
        return found


def _measure(layout: Layout, source: str, redis_url: str, stream: Stream, folder: Path) -> Figures:
    run = _Run(layout, source, redis_url, stream, folder)
    with run.started():

        def await_records(count: int) -> _Moment:
            def has_come() -> bool:
                if not run.is_alive():
                    raise CommandFailedError(run.log())
                return run.records() >= count

            eventually(has_come, within_s=WITHIN_S, what=f"{count} records")
            return run.moment()

        first = await_records(stream.short_events)
        last = await_records(stream.events)
        log_loss = run.log_loss()
    events, took_s = last.records - first.records, last.at_s - first.at_s
    return Figures(
        (last.cpu_s - first.cpu_s) / events * 1e6,
        events / took_s,
        (last.step_s - first.step_s) / events * 1e6,
        (last.sent_bytes - first.sent_bytes) / events,
        (last.version - first.version) / took_s * 60,
        log_loss,
    )


def _stat(pid: int) -> Sequence[str]:
    """Return the fields of proc(5) after the name: state, parent, group, session and so on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ()


def _cpu_s(pid: int) -> float:
    stat = _stat(pid)
    return (int(stat[11]) + int(stat[12])) / _TICKS_PER_S if stat else 0.0


def _sent_bytes(pids: Sequence[int]) -> int:
    """Return the bytes that these processes have sent to each other over TCP, by ss(8)."""
    listed = subprocess.run(["ss", "-tinpHO", "state", "established"], capture_output=True, text=True, check=True)
    sockets: dict[tuple[str, str], int] = {}
    for line in listed.stdout.splitlines():
        owner = re.search(r"pid=(\d+)", line)
        if owner and int(owner[1]) in pids:
            local, peer = line.split()[2:4]
            sent = re.search(r"bytes_sent:(\d+)", line)
            sockets[local, peer] = int(sent[1]) if sent else 0
    return sum(sent for (local, peer), sent in sockets.items() if (peer, local) in sockets)


if __name__ == "__main__":
    main()
