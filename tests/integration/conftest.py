"""Fixtures of tests that need a real Kafka broker."""

import warnings

with warnings.catch_warnings():
    # kafka-python 3.0.12 reads its schemas with functions that Python 3.11 deprecates.
    warnings.simplefilter("ignore", DeprecationWarning)
    from tests.kafka_broker import broker, kafka, refused_connections

__all__ = ["broker", "kafka", "refused_connections"]
