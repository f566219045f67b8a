"""connectors/outage: one log record per start and per end of an outage."""

import pytest
from structlog.testing import capture_logs

from connectors.outage import OutageLog


def _events(*steps: str | None) -> list[str]:
    """Return the log events after failures by these causes; None stands for a recovery."""
    with capture_logs() as records:
        outages = OutageLog("kafka")
        for cause in steps:
            if cause is None:
                outages.recovered()
            else:
                outages.failed(cause=cause)
    return [record["event"].removeprefix("kafka.") for record in records]


@pytest.mark.parametrize(
    ("steps", "events"),
    [
        ([], []),
        ([None, None], []),
        (["timeout", "timeout", "timeout"], ["failed"]),
        (["timeout", "timeout", None, None], ["failed", "recovered"]),
        (["timeout", None, "timeout", None], ["failed", "recovered", "failed", "recovered"]),
        (["timeout", "refused", "refused", "timeout", None], ["failed", "failed", "failed", "recovered"]),
    ],
    ids=["no attempt", "no outage", "one outage", "recovery", "two outages", "changed cause"],
)
def test_record_is_logged_only_when_the_outage_changes(steps: list[str | None], events: list[str]) -> None:
    assert _events(*steps) == events


def test_records_have_level_and_fields() -> None:
    """The cause decides on the record, and is not part of it."""
    with capture_logs() as records:
        outages = OutageLog("redis")
        outages.failed(cause="OOM", code="OOM", waited_s=0.5)
        outages.recovered(waited_s=2.0)
    assert records == [
        {"event": "redis.failed", "log_level": "warning", "code": "OOM", "waited_s": 0.5},
        {"event": "redis.recovered", "log_level": "info", "waited_s": 2.0},
    ]


def test_failures_without_a_cause_are_one_outage() -> None:
    with capture_logs() as records:
        outages = OutageLog("redis")
        for attempt in range(3):
            outages.failed(attempt=attempt)
    assert [record["attempt"] for record in records] == [0]


def test_outages_of_two_dependencies_are_independent() -> None:
    with capture_logs() as records:
        redis, kafka = OutageLog("redis"), OutageLog("kafka")
        redis.failed()
        kafka.recovered()
        kafka.failed()
        redis.recovered()
    assert [record["event"] for record in records] == ["redis.failed", "kafka.failed", "redis.recovered"]
