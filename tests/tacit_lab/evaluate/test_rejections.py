"""Rejected records of an evaluation: causes, and the warning."""

from state.events.records import FileOrigin, Reason, Reject
from tacit_lab.evaluate.rejections import Rejections


def reject(detail: str, reason: Reason = Reason.NOT_IN_CATALOGUE) -> Reject:
    return Reject(reason, detail, FileOrigin("a.jsonl"), 1, "e3b0", 0)


def counted(*rejects: Reject) -> Rejections:
    found = Rejections()
    for each in rejects:
        found.add(each)
    return found


def test_a_twentieth_is_no_reason_for_a_warning() -> None:
    """Every stream has a few broken records."""
    found = counted(*[reject("served.length")] * 5)
    assert found.warning(100) is None
    assert found.warning(99) is not None
    assert counted().warning(0) is None


def test_warning_has_the_share_and_the_most_frequent_causes() -> None:
    """With the path of the member and the rule."""
    late = reject("", Reason.LATE)
    found = counted(*[reject("served.length")] * 40, *[late] * 8, *[reject("topic")] * 3, reject("surface"))
    warning = found.warning(104)
    assert warning is not None
    assert warning.startswith("50% of the records were rejected, so the figures are about the rest alone: ")
    assert "not_in_catalogue served.length (40); late (8); not_in_catalogue topic (3). Correct" in warning


def test_details_are_bounded() -> None:
    """A stream with a different path in each record costs no memory without limit; the count stays exact."""
    found = counted(*[reject(f"served.{number}") for number in range(3_000)])
    assert len(found) == 3_000
    assert found.top[0] == ("not_in_catalogue", "", 2_000)
