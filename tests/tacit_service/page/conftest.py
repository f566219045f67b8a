"""Fixtures of tests in a browser."""

from tests.support.browser import browser
from tests.support.kafka_broker import kafka, refused_connections

__all__ = ["browser", "kafka", "refused_connections"]
