"""Fixtures of tests that need a real Kafka broker."""

from tests.support.kafka_broker import broker, kafka, refused_connections
from tests.support.schema_registry import schema_registry
from tests.support.secure_broker import secure_broker

__all__ = ["broker", "kafka", "refused_connections", "schema_registry", "secure_broker"]
