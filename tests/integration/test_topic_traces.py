"""Byte search in topics of a real broker."""

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]

from connectors.kafka.address import TopicAddress
from connectors.traces import needles_of
from connectors.traces.topics import find_topic_traces
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]


def test_key_value_and_header_of_each_record_are_searched(kafka: Kafka) -> None:
    """In all partitions; an empty one and a record without a value are no obstacle."""
    address = TopicAddress((kafka.servers,), kafka.create_topic(partitions=3))
    needles = needles_of("ada.lovelace", b"0123456789abcdef")
    producer = KafkaProducer(bootstrap_servers=kafka.servers)
    for partition, key, value, headers in (
        (0, b"x", b"nothing", []),
        (0, b"ada.lovelace", None, []),
        (1, None, needles.user.hex().encode(), []),
        (1, None, b"", [("user", b"ada.lovelace")]),
    ):
        producer.send(address.topic, key=key, value=value, headers=headers, partition=partition)
    producer.flush()
    producer.close()
    found = sorted(
        (trace.place.rpartition("/")[2], trace.offset, trace.kind) for trace in find_topic_traces(address, needles)
    )
    assert found == [("0", 1, "id"), ("1", 0, "pseudonym"), ("1", 1, "id")]
