"""Streams of measurements as topics of the tests' broker."""

from pathlib import Path

from benchmarks.streams import Sources, Stream
from tacit_lab.simulate.output import write_events
from tests.support.kafka_topics import Kafka

PARTITIONS = 4


def topics_of(stream: Stream, broker: Kafka) -> Sources:
    """Write both forms of a stream to new topics, by user, and return the addresses of the topics."""
    return Sources(topic_of(Path(stream.files.short), broker), topic_of(Path(stream.files.whole), broker))


def topic_of(events: Path, broker: Kafka, partitions: int = PARTITIONS) -> str:
    """Write the events of a file to a new topic, by user, and return its address."""
    address = f"kafka://{broker.servers}/{broker.create_topic(partitions)}"
    with events.open("rb") as lines:
        write_events((line.rstrip(b"\n") for line in lines), address)
    return address
