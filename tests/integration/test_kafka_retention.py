"""Retention of topics, as a real broker has it."""

from collections.abc import Mapping

import pytest

from connectors.kafka.address import TopicAddress
from connectors.kafka.retention import topic_retention
from state.errors import SourceError
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]


@pytest.mark.parametrize(
    ("config", "age_ms", "is_unlimited"),
    [
        ({}, 7 * 86_400_000, False),
        ({"retention.ms": "3600000"}, 3_600_000, False),
        ({"retention.ms": "-1"}, None, True),
        ({"cleanup.policy": "compact"}, 7 * 86_400_000, True),
        ({"cleanup.policy": "compact,delete"}, 7 * 86_400_000, False),
    ],
)
def test_retention_of_a_topic(kafka: Kafka, config: Mapping[str, str], age_ms: int | None, is_unlimited: bool) -> None:
    """A compacted topic keeps the newest record of a key without end."""
    found = topic_retention(TopicAddress((kafka.servers,), kafka.create_topic(config=config)))
    assert (found.age_ms, found.is_unlimited) == (age_ms, is_unlimited)


def test_missing_topic_is_an_error(kafka: Kafka) -> None:
    """With what to do."""
    with pytest.raises(SourceError, match="no such topic; create it"):
        topic_retention(TopicAddress((kafka.servers,), "missing"))
