"""CPU per event of the peers' job on each stream processor, compared with Tacit and with a bare River step.

    python -m benchmarks.peers [--events N] [--rounds N]

A peer that cannot be installed or run here is skipped by name, with the reason. The signals that each peer leaves in
Redis must be those of the job on Bytewax. Quix Streams reads a topic of the tests' broker, whose CPU is not counted;
the others read a file.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks.contenders import (
    ROOT,
    Contender,
    Results,
    bytewax_contender,
    measure_all,
    tacit_contender,
    try_out,
)
from benchmarks.cost_table import cost_table
from benchmarks.machine import machine
from benchmarks.peers.environments import PEERS, Peer, PeerUnavailableError, installed_python, site_packages
from benchmarks.process_tree import CommandFailedError
from benchmarks.streams import Stream, peers_stream
from benchmarks.topics import topics_of
from tests.support.kafka_broker import started_broker
from tests.support.kafka_jars import BrokerUnavailableError

BYTEWAX = "Bytewax"


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=30_000, help="events of the stream (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    options = parser.parse_args()
    console = Console(highlight=False, width=120)
    console.print(machine())
    with tempfile.TemporaryDirectory(prefix="tacit-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        stream = peers_stream(folder, options.events)
        contenders = [
            bytewax_contender(BYTEWAX),
            bytewax_contender("Bytewax, with its tumbling windows", "build_windows"),
            *(tacit_contender(stream, population, 1) for population in ("none", "learn")),
        ]
        for peer in PEERS:
            try:
                contender = _contender(peer, stream, stack)
                try_out(contender, stream, folder)
            except (PeerUnavailableError, BrokerUnavailableError, CommandFailedError) as error:
                console.print(f"skipped: {peer.name}: {error}", markup=False)
            else:
                contenders.append(contender)
        results = measure_all(contenders, stream, folder, options.rounds)
    console.print(cost_table(stream, results.costs, BYTEWAX))
    compare(results, console)


def _contender(peer: Peer, stream: Stream, stack: ExitStack) -> Contender:
    """Return the job on a peer, which is installed if necessary; a broker runs as long as the stack is open."""
    python = installed_python(peer)
    variables = {"PYTHONPATH": f"{ROOT}:{site_packages(python)}"}
    sources = stream.files
    if peer.is_from_kafka:
        sources = topics_of(stream, stack.enter_context(contextmanager(started_broker)()))
    events = {sources.short: stream.short_events, sources.whole: stream.events}

    def command(source: str, url: str, folder: Path) -> Sequence[str]:
        arguments = (source, url, str(events[source]), str(folder)) if peer.is_from_kafka else (source, url)
        return (str(python), "-m", f"benchmarks.peers.{peer.module}", *arguments)

    return Contender(peer.name, command, sources, variables)


def compare(results: Results, console: Console) -> None:
    """Print whether all contenders left the same signals as the job on Bytewax; Tacit's are other ones.

    Raises:
        SystemExit: a contender left other signals.
    """
    expected = results.signals[BYTEWAX]
    others = {name: signals for name, signals in results.signals.items() if signals and name != BYTEWAX}
    differing = [name for name, signals in others.items() if signals != expected]
    if differing:
        raise SystemExit(f"other signals than those of the job on Bytewax: {', '.join(differing)}")
    console.print(f"{len(expected):,} signals, the same ones of Bytewax, {', '.join(others)}")


if __name__ == "__main__":
    main()
