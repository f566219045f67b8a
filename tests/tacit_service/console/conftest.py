"""Fixtures of tests of the console."""

from collections.abc import Iterator

import pytest

from tests.support.browser import browser
from tests.support.kafka_broker import kafka, refused_connections
from tests.support.kafka_topics import Kafka
from tests.tacit_service.console.deployment import Deployment, deployed

__all__ = ["browser", "deployment", "kafka", "refused_connections"]


@pytest.fixture(scope="package")
def deployment(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """Yield a running deployment, which the tests share."""
    with deployed(kafka, tmp_path_factory.mktemp("console")) as found:
        yield found
