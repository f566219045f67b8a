"""Limits per user and hour, and per user and week."""

from hypothesis import given, settings
from hypothesis import strategies as st

from state.learning.feedback_limit import HOUR_MS, PER_HOUR, PER_WEEK, FeedbackLimit

WEEK_MS = 7 * 24 * HOUR_MS


def taken(limit: FeedbackLimit, user: bytes, times: list[int]) -> int:
    return sum(limit.takes(user, at_ms) for at_ms in times)


def test_hour_and_week_are_limited() -> None:
    """Event time counts, in any order; the next week counts from 0."""
    limit, start = FeedbackLimit(), 100 * WEEK_MS
    assert taken(limit, b"one", [start] * 5_000) == PER_HOUR
    assert taken(limit, b"one", [start + HOUR_MS] * 5_000) == PER_HOUR
    assert taken(limit, b"one", [start] * 5_000) == 0
    hours = [start + hour * HOUR_MS for hour in range(2, 160) for _ in range(100)]
    assert taken(limit, b"one", hours) == PER_WEEK - 2 * PER_HOUR
    assert taken(limit, b"two", hours) == PER_WEEK
    assert taken(limit, b"one", [start + WEEK_MS] * 300) == PER_HOUR


def test_many_users_do_not_limit_each_other() -> None:
    """Ten thousand users with five examples each in one hour."""
    limit = FeedbackLimit()
    assert sum(limit.takes(number.to_bytes(16, "big"), 0) for number in [*range(10_000)] * 5) == 50_000


@settings(max_examples=20)
@given(st.lists(st.integers(0, 3), max_size=900), st.integers(0, 900))
def test_restart_does_not_change_the_result(users: list[int], cut: int) -> None:
    """The packed counts have a fixed size."""
    whole, first = FeedbackLimit(), FeedbackLimit()
    expected = [whole.takes(bytes([one]), 5) for one in users]
    found = [first.takes(bytes([one]), 5) for one in users[:cut]]
    second = FeedbackLimit(first.pack())
    found += [second.takes(bytes([one]), 5) for one in users[cut:]]
    assert found == expected
    assert second.pack() == whole.pack()
    assert sum(len(cells) for _, cells in whole.pack()) == 65_536
