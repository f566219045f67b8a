"""Fixtures of tests of the whole project: a real Kafka broker, and those that assistants' tests get."""

from tacit.testing.plugin import tacit_catalogue, tacit_emitter, tacit_reader
from tests.support.kafka_broker import kafka, refused_connections

__all__ = ["kafka", "refused_connections", "tacit_catalogue", "tacit_emitter", "tacit_reader"]
