"""Fixtures of tests that need a real Kafka broker."""

from tests.support.kafka_broker import kafka, refused_connections

__all__ = ["kafka", "refused_connections"]
