"""Fixtures of tests that kill a real Kafka broker."""

from tests.support.kafka_broker import broker, kafka, refused_connections

__all__ = ["broker", "kafka", "refused_connections"]
