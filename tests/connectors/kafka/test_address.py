"""Addresses and starts as a command line gives them."""

import pytest

from connectors.kafka.address import Start, TopicAddress
from tacit.errors import ConfigurationError


@pytest.mark.parametrize("text", ["kafka://a:9092/events", "kafka://a:9092,[::1]:9093/my.topic_1"])
def test_parsed_address_shows_the_same_text(text: str) -> None:
    """The text of a parsed address is the text that was parsed."""
    assert str(TopicAddress.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "events", "http://a:1/t", "kafka://a/events", "kafka://a:0/t", "kafka://a:99999/t", "kafka://a:1,/t"),
        *("kafka://a:1", "kafka://a:1/a b", "kafka://a:1/..", "kafka://a:1/t/u"),
    ],
)
def test_invalid_address_is_a_configuration_error(text: str) -> None:
    """An address is a list of HOST:PORT and a topic."""
    with pytest.raises(ConfigurationError):
        TopicAddress.parse(text)


def test_error_of_an_address_shows_no_password() -> None:
    """The error of an address with a password names the form only."""
    with pytest.raises(ConfigurationError) as caught:
        TopicAddress.parse("kafka://me:secret@a:9092/events")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "newest", "-1", "offset:", "offset:-1", "offset:x", "1.5", "٣"])
def test_invalid_start_is_a_configuration_error(text: str) -> None:
    """A start has one of the forms that the error lists."""
    with pytest.raises(ConfigurationError, match="is no start"):
        Start.parse(text)
