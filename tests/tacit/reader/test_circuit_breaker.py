"""tacit/reader/circuit_breaker: failures in a row open the circuit, one test per second passes, an answer closes it."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.reader.circuit_breaker import FAILURES, OPEN_FOR_S, CircuitBreaker


class Clock:
    """Clock that the test sets."""

    def __init__(self) -> None:
        self.now_s = 1_000.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


def opened(clock: Clock) -> CircuitBreaker:
    breaker = CircuitBreaker(clock)
    for _ in range(FAILURES):
        assert breaker.allows()
        breaker.record(is_answered=False)
    return breaker


def test_failures_in_a_row_open_the_circuit(clock: Clock) -> None:
    assert not opened(clock).allows()


def test_answer_restarts_the_count(clock: Clock) -> None:
    breaker = CircuitBreaker(clock)
    for answered in (False, False, True, False, False):
        breaker.record(is_answered=answered)
    assert breaker.allows()


def test_one_caller_in_a_second_tries(clock: Clock) -> None:
    """A further failure keeps the circuit open."""
    breaker = opened(clock)
    for _ in range(3):
        clock.now_s += OPEN_FOR_S
        assert [breaker.allows() for _ in range(5)] == [True] + [False] * 4
        breaker.record(is_answered=False)
    clock.now_s += OPEN_FOR_S
    assert breaker.allows()
    breaker.record(is_answered=True)
    assert all(breaker.allows() for _ in range(5))


def test_test_without_an_outcome_does_not_block_the_next_one(clock: Clock) -> None:
    """The next test follows a second later."""
    breaker = opened(clock)
    clock.now_s += OPEN_FOR_S
    assert breaker.allows()
    clock.now_s += OPEN_FOR_S
    assert breaker.allows()


def test_of_many_threads_one_tries(clock: Clock) -> None:
    """The others get False."""
    breaker = opened(clock)
    clock.now_s += OPEN_FOR_S
    with ThreadPoolExecutor(16) as threads:
        assert sum(threads.map(lambda _: breaker.allows(), range(1_000))) == 1


@given(st.lists(st.tuples(st.booleans(), st.floats(0, 3)), max_size=60))
def test_circuit_is_open_only_after_failures_and_never_for_long(steps: list[tuple[bool, float]]) -> None:
    """An open circuit needs three failures in a row, and allows a test after one second."""
    clock = Clock()
    breaker, row, asked_s = CircuitBreaker(clock), 0, clock.now_s
    for answered, pause_s in steps:
        if breaker.allows():
            asked_s = clock.now_s
            breaker.record(is_answered=answered)
            row = 0 if answered else row + 1
        else:
            assert row >= FAILURES
            assert clock.now_s - asked_s < OPEN_FOR_S
        clock.now_s += pause_s
