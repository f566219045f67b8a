"""Receipts in a topic: found by number among those of other users."""

import pytest

from dataflows.control.receipt_store import find_receipt, store_receipt
from dataflows.settings import load
from tacit.errors import ConfigurationError
from tests.dataflows.control.test_receipts import make_receipt
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]

ADA, BOB = bytes(16), bytes([1] * 16)


def test_a_receipt_is_found_in_a_topic(kafka: Kafka) -> None:
    """In any partition."""
    settings = load({"receipts": f"kafka://{kafka.servers}/{kafka.create_topic(partitions=3)}", "embedded": True})
    receipts = [make_receipt(user) for user in (ADA, BOB, ADA)]
    for receipt in receipts:
        store_receipt(settings, receipt)
    assert [find_receipt(settings, receipt.number, ADA) for receipt in receipts] == receipts
    with pytest.raises(ConfigurationError, match="is not among the receipts"):
        find_receipt(settings, "r-" + "0" * 32, ADA)
