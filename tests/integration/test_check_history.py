"""`tacit check` names every topic that keeps records without a limit."""

from pathlib import Path

import pytest

from dataflows.settings import Settings
from tacit_cli.check import check_all
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]


def test_unlimited_retention_is_a_note(kafka: Kafka, redis_url: str, tmp_path: Path) -> None:
    """For each topic that the run reads or writes."""
    week, unlimited, compacted = (
        f"kafka://{kafka.servers}/{kafka.create_topic(config=config)}"
        for config in ({}, {"retention.ms": "-1"}, {"cleanup.policy": "compact"})
    )
    settings = Settings(redis=redis_url, secret="0123456789abcdef", rejects=week, control_rejects=compacted)
    found = {finding.what: finding for finding in check_all(settings, unlimited)}
    assert all(finding.ok for finding in found.values())
    assert {what for what, finding in found.items() if finding.warns and what.endswith("retention")} == {
        "source retention",
        "control rejects retention",
    }
    assert "keeps records without a limit, as retention.ms is -1" in found["source retention"].detail
    assert "set cleanup.policy to delete" in found["control rejects retention"].detail
    assert "keeps records for 7 days, and up to 7 days longer" in found["rejects retention"].detail
