"""Addresses and starts as users type them."""

import pytest

from connectors.kafka.address import Start, TopicAddress
from tacit.errors import ConfigurationError


@pytest.mark.parametrize("text", ["kafka://a:9092/events", "kafka://a:9092,[::1]:9093/my.topic_1"])
def test_address_reads_as_it_is_written(text: str) -> None:
    """Text and address state the same."""
    assert str(TopicAddress.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "events", "http://a:1/t", "kafka://a/events", "kafka://a:0/t", "kafka://a:99999/t", "kafka://a:1,/t"),
        *("kafka://a:1", "kafka://a:1/a b", "kafka://a:1/..", "kafka://a:1/t/u"),
    ],
)
def test_malformed_address_is_refused(text: str) -> None:
    """What is no HOST:PORT list and topic is a configuration error."""
    with pytest.raises(ConfigurationError):
        TopicAddress.parse(text)


def test_password_in_an_address_is_not_repeated() -> None:
    """An address with credentials is refused without showing them."""
    with pytest.raises(ConfigurationError) as caught:
        TopicAddress.parse("kafka://me:secret@a:9092/events")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "newest", "-1", "offset:", "offset:-1", "offset:x", "1.5", "٣"])
def test_malformed_start_is_refused(text: str) -> None:
    """A place to start is one of four forms."""
    with pytest.raises(ConfigurationError, match="no place to start"):
        Start.parse(text)
