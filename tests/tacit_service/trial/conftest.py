"""Fixtures of a real Kafka."""

from tests.support.kafka_broker import broker, kafka, refused_connections

__all__ = ["broker", "kafka", "refused_connections"]
