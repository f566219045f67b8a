"""CPU per event and throughput of `tacit replay`, compared with a bare River step and with a plain Bytewax job.

    python -m benchmarks.cost [--streams demo peers] [--events N] [--rounds N] [--kafka] [--json]

Two streams are measured: that of `tacit demo`, and that of the peers' job (benchmarks/peers), where every event is
feedback on five facets. Tacit runs as a user runs it: RocksDB, Bytewax and all processes are counted, Redis is not.
Contenders take turns, and the medians of all rounds are printed.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from benchmarks.contenders import Contender, Cost, bytewax_contender, measure_all, tacit_contender, tacit_name
from benchmarks.cost_table import cost_table
from benchmarks.machine import machine
from benchmarks.streams import Stream, demo_stream, peers_stream
from benchmarks.topics import topics_of
from tests.support.kafka_broker import started_broker
from tests.support.kafka_jars import BrokerUnavailableError
from tests.support.kafka_topics import Kafka

BYTEWAX = "peers' job on Bytewax"
POPULATIONS = ["none", "learn"]
STREAMS = {"demo": demo_stream, "peers": peers_stream}
KAFKA_POPULATION = "learn"


def main() -> None:
    """Measure, and print the tables or the JSON."""
    options = _options()
    found: dict[Stream, Mapping[str, Cost]] = {}
    with tempfile.TemporaryDirectory(prefix="tacit-bench-") as name, _broker(wanted=options.kafka) as broker:
        for title in options.streams:
            stream = STREAMS[title](Path(name), options.events)
            contenders = list(_contenders(stream, broker))
            found[stream] = measure_all(contenders, stream, Path(name), options.rounds).costs
    if options.json:
        costs_of = {s.title: {n: c._asdict() for n, c in costs.items()} for s, costs in found.items()}
        print(json.dumps({"machine": machine(), "costs": costs_of}))
        return
    console = Console(highlight=False, width=120)
    console.print(machine())
    for stream, costs in found.items():
        console.print(cost_table(stream, costs, BYTEWAX))
        for population in POPULATIONS:
            console.print(_second_process(population, costs))
        if (from_kafka := tacit_name(KAFKA_POPULATION, 1, from_kafka=True)) in costs:
            console.print(_added_by_kafka(costs[tacit_name(KAFKA_POPULATION, 1)], costs[from_kafka]))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cost", description=__doc__.split("\n")[0])
    parser.add_argument("--events", type=int, default=30_000, help="events of a stream, about (default: %(default)s)")
    parser.add_argument("--streams", nargs="+", choices=STREAMS, default=list(STREAMS), help="default: all")
    parser.add_argument("--rounds", type=int, default=3, help="rounds (default: %(default)s)")
    parser.add_argument(
        "--kafka", action="store_true", help="measure Kafka to Redis, too, with the broker of the tests"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    return parser.parse_args()


def _contenders(stream: Stream, broker: Kafka | None) -> Iterator[Contender]:
    yield bytewax_contender(BYTEWAX)
    for population in POPULATIONS:
        for processes in (1, 2):
            yield tacit_contender(stream, population, processes)
    if broker is not None:
        yield tacit_contender(stream, KAFKA_POPULATION, sources=topics_of(stream, broker))


@contextmanager
def _broker(*, wanted: bool) -> Iterator[Kafka | None]:
    """Yield a broker if one is wanted and can be started."""
    if not wanted:
        yield None
        return
    try:
        with contextmanager(started_broker)() as broker:
            yield broker
    except BrokerUnavailableError as error:
        print(f"skipped: from Kafka: {error}")
        yield None


def _second_process(population: str, costs: Mapping[str, Cost]) -> str:
    one, two = (costs[tacit_name(population, processes)] for processes in (1, 2))
    return (
        f"population {population}: 2 processes have {two.river_steps / one.river_steps:.2f} times the CPU per event, "
        f"and {two.events_per_s / one.events_per_s:.2f} times the events per second, of 1 process"
    )


def _added_by_kafka(file: Cost, kafka: Cost) -> str:
    steps = kafka.river_steps - file.river_steps
    return f"Kafka adds {steps * file.river_us:.1f} µs of CPU per event ({steps:.1f} × River step) to a file's"


if __name__ == "__main__":
    main()
