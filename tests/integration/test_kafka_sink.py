"""Kafka producer and reject sink: each record is acknowledged, or an error is raised."""

import json
import threading
from time import monotonic

import pytest
from bytewax import operators as op
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSource, run_main
from kafka import KafkaConsumer, TopicPartition  # type: ignore[import-untyped]

from connectors.kafka.address import TopicAddress
from connectors.kafka.producer import CheckedProducer
from connectors.kafka.reject_sink import KafkaRejectSink
from state.errors import SinkError
from state.events.records import FileOrigin, KafkaOrigin, Reason, Reject
from tests.support.conditions import eventually
from tests.support.kafka_broker import KAFKA_TEST, Broker
from tests.support.kafka_reader import Reading, refused, values
from tests.support.kafka_topics import Kafka

pytestmark = KAFKA_TEST

REJECTS = [
    Reject(Reason.INVALID, "at: not an integer", KafkaOrigin("events", 3), 41, "ab12", 1_795_297_433_438),
    Reject(Reason.NOT_JSON, "", FileOrigin("a.jsonl"), 7, "cd34", 1_795_297_433_439),
]


def _address(kafka: Kafka) -> TopicAddress:
    return TopicAddress((kafka.servers,), "unused")


def run_rejects(kafka: Kafka, topic: str, rejects: list[Reject], *, delivery_s: float = 30) -> None:
    flow = Dataflow("rejects")
    stream = op.input("in", flow, TestingSource(rejects, batch_size=100))
    op.output("out", stream, KafkaRejectSink(TopicAddress((kafka.servers,), topic), delivery_s=delivery_s))
    run_main(flow)


def test_rejects_arrive_as_json_with_their_origin_in_headers(kafka: Kafka) -> None:
    """Headers suffice to route a reject."""
    topic = kafka.create_topic()
    run_rejects(kafka, topic, REJECTS)

    with KafkaConsumer(bootstrap_servers=kafka.servers) as consumer:
        consumer.assign([TopicPartition(topic, 0)])
        consumer.seek_to_beginning()
        found = [record for batch in consumer.poll(10_000).values() for record in batch]
    assert [json.loads(record.value) for record in found] == [json.loads(reject.to_json()) for reject in REJECTS]
    assert found[0].headers == [("topic", b"events"), ("partition", b"3"), ("offset", b"41")]
    assert found[1].headers == [("file", b"a.jsonl"), ("line", b"7")]


def test_every_reject_of_many_arrives(kafka: Kafka) -> None:
    """A batch counts as written after all of its records are acknowledged."""
    topic = kafka.create_topic()
    rejects = [REJECTS[0]._replace(position=n) for n in range(5000)]
    run_rejects(kafka, topic, rejects)

    assert values(Reading(kafka, topic).bounded()) == [reject.to_json() for reject in rejects]


def test_missing_rejects_topic_fails_the_start(kafka: Kafka) -> None:
    """A missing rejects topic is found at the start within the time limit."""
    began = monotonic()
    with refused(SinkError, "Kafka topic nowhere did not acknowledge"):
        run_rejects(kafka, "nowhere", REJECTS, delivery_s=1)
    assert monotonic() - began < 10


def test_record_that_the_broker_rejects_fails_the_flush(kafka: Kafka) -> None:
    """An error of one record is not lost among acknowledgements."""
    topic = kafka.create_topic(config={"max.message.bytes": "1000"})
    producer = CheckedProducer(_address(kafka), delivery_s=5)
    producer.send(topic, b"user", b"small")
    producer.send(topic, b"user", b"x" * 5000)
    with pytest.raises(SinkError, match="larger than Kafka accepts"):
        producer.flush()
    with pytest.raises(SinkError, match="larger than Kafka accepts"):
        producer.send(topic, b"user", b"x" * 2_000_000)
    producer.close()


def test_vanished_broker_fails_the_flush_in_time(broker: Broker) -> None:
    """Without a broker the error is raised within the time limit."""
    topic = broker.create_topic()
    producer = CheckedProducer(_address(broker), delivery_s=2)
    producer.send(topic, b"user", b"stored")
    producer.flush()
    broker.pause()
    producer.send(topic, b"user", b"not stored in time")

    began = monotonic()
    with pytest.raises(SinkError, match="within 2 s"):
        producer.flush()

    assert monotonic() - began < 5
    broker.resume()
    producer.close()


def test_producer_with_records_in_flight_ends_its_thread(kafka: Kafka) -> None:
    """A caller that fails waits for no record, and leaves no thread with connections."""
    topic, before = kafka.create_topic(), {*threading.enumerate()}
    producer = CheckedProducer(_address(kafka))
    producer.send(topic, b"user", b"in flight")
    assert {*threading.enumerate()} - before
    producer.__exit__(SinkError, None, None)
    eventually(lambda: not {*threading.enumerate()} - before, within_s=5, what="the end of the thread")


def test_batch_waits_for_the_return_of_the_broker(broker: Broker) -> None:
    """A short outage neither loses nor repeats records."""
    topic = broker.create_topic()
    with CheckedProducer(_address(broker)) as producer:
        producer.send(topic, b"user", b"before")
        producer.flush()
        broker.kill()
        producer.send(topic, b"user", b"after")
        broker.start()
        producer.flush()

    assert values(Reading(broker, topic).bounded()) == [b"before", b"after"]


def test_records_of_one_key_stay_in_one_partition_in_order(kafka: Kafka) -> None:
    """The key selects the partition, and the timestamp is the given one."""
    topic = kafka.create_topic(4)
    with CheckedProducer(_address(kafka)) as producer:
        for n in range(3000):
            producer.send(topic, b"user", str(n).encode(), at_ms=1_700_000_000_000 + n)

    records = Reading(kafka, topic).bounded()
    assert values(records) == [str(n).encode() for n in range(3000)]
    assert len({record.origin for record in records}) == 1
    assert values(Reading(kafka, topic).bounded("1700000002990")) == [str(n).encode() for n in range(2990, 3000)]
