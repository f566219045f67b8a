"""CPU per record of reading a topic with kafka-python and with confluent-kafka, in alternating runs.

    .venv/bin/python -m pip install confluent-kafka && python -m benchmarks.kafka_clients [--turns N] [--runs N]

The broker is that of the tests. confluent-kafka is not a dependency of the project; docs/decisions.md has the figures.
"""

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # type: ignore[import-untyped]

from benchmarks.machine import machine
from tacit_lab.simulate import Scenario, simulate
from tacit_lab.simulate.output import write_events
from tests.support.kafka_broker import started_broker

PARTITIONS = 4
CLIENTS = ("kafka-python", "confluent-kafka")
PARTITION_BYTES = 512 * 1024
FETCH_BYTES = 2 * 1024 * 1024
WAIT_MS = 200

Fetched = tuple[int, int, bytes]
"""Offset, timestamp and value of a record."""


def main() -> None:
    """Produce the records once; each client reads them in a separate process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kafka_clients")
    parser.add_argument("--turns", type=int, default=250_000, help="simulated answers (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--consume", nargs=4, metavar=("CLIENT", "SERVERS", "TOPIC", "RECORDS"))
    options = parser.parse_args()
    if options.consume:
        client, servers, topic, records = options.consume
        print(f"{client:15}  {consume(client, servers, topic, int(records)):5.2f} µs of CPU per record")
        return
    if importlib.util.find_spec("confluent_kafka") is None:
        sys.exit("confluent-kafka is not installed; run .venv/bin/python -m pip install confluent-kafka")
    print(machine())
    records = history(options.turns)
    for broker in started_broker():
        topic = broker.create_topic(PARTITIONS)
        produce(broker.servers, topic, records)
        print(f"{len(records):,} records of {sum(map(len, records)) // len(records)} bytes", flush=True)
        for client in CLIENTS * options.runs:
            arguments = ("--consume", client, broker.servers, topic, str(len(records)))
            subprocess.run([sys.executable, "-m", "benchmarks.kafka_clients", *arguments], check=True)


def history(turns: int) -> list[bytes]:
    """Return the records of a simulated history."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "events.jsonl"
        scenario = Scenario(end_ms=time.time_ns() // 1_000_000, users=3_000, turns=turns, seed=1)
        write_events(simulate(scenario).events, str(path))
        return path.read_bytes().splitlines()


def produce(servers: str, topic: str, records: list[bytes]) -> None:
    """Append the records to the partitions, round-robin."""
    with KafkaProducer(bootstrap_servers=servers, linger_ms=20, batch_size=65_536) as producer:
        for number, record in enumerate(records):
            producer.send(topic, record, key=b"user-%06d" % (number % 2000), partition=number % PARTITIONS)
        producer.flush()


def consume(client: str, servers: str, topic: str, records: int) -> float:
    """Return the CPU per record in µs, from the end of the first batch on, threads of the client included."""
    batches = (_kafka_python if client == "kafka-python" else _confluent)(servers, topic)
    first = read = len(next(batches))
    start = time.process_time()
    while read < records:
        read += len(next(batches))
    return 1e6 * (time.process_time() - start) / (read - first)


def _kafka_python(servers: str, topic: str) -> Iterator[list[Fetched]]:
    consumer = KafkaConsumer(
        bootstrap_servers=servers,
        group_id=None,
        enable_auto_commit=False,
        isolation_level="read_committed",
        max_poll_records=sys.maxsize,
        max_partition_fetch_bytes=PARTITION_BYTES,
        fetch_max_bytes=FETCH_BYTES,
        fetch_max_wait_ms=WAIT_MS,
    )
    consumer.assign([TopicPartition(topic, number) for number in range(PARTITIONS)])
    consumer.seek_to_beginning()
    while True:
        for found in consumer.poll(timeout_ms=WAIT_MS).values():
            yield [(record.offset, record.timestamp, record.value) for record in found]


def _confluent(servers: str, topic: str) -> Iterator[list[Fetched]]:
    confluent: Any = importlib.import_module("confluent_kafka")
    consumer = confluent.Consumer(
        {
            "bootstrap.servers": servers,
            "group.id": "benchmark",
            "enable.auto.commit": False,
            "isolation.level": "read_committed",
            "check.crcs": True,
            "max.partition.fetch.bytes": PARTITION_BYTES,
            "fetch.max.bytes": FETCH_BYTES,
            "fetch.wait.max.ms": WAIT_MS,
        }
    )
    consumer.assign([confluent.TopicPartition(topic, number, 0) for number in range(PARTITIONS)])
    while True:
        if found := consumer.consume(1000, WAIT_MS / 1000):
            yield [(message.offset(), message.timestamp()[1], message.value()) for message in found]


if __name__ == "__main__":
    main()
