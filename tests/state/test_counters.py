"""state/counters."""

from hypothesis import given
from hypothesis import strategies as st

from state.counters import Counters, EventCounters, Histogram, Outcome, SourceCounters
from state.events.records import Reason


@given(st.lists(st.floats(0, 100)))
def test_histogram_counts_each_value_once_under_its_bound(values: list[float]) -> None:
    """A value at a bound belongs to the bound, a value above all bounds to the last count."""
    histogram = Histogram()
    for value in values:
        histogram.add(value)
    assert sum(histogram.counts) == len(values)
    below = 0
    for bound, count in zip(histogram.bounds, histogram.counts, strict=False):
        below += count
        assert below == sum(value <= bound for value in values)


def test_histograms_do_not_share_their_counts() -> None:
    """The list of counts is a default of a field."""
    one, other = Histogram(), Histogram()
    one.add(1.0)
    assert sum(other.counts) == 0


def test_total_counts_every_outcome_and_reject() -> None:
    """Outcomes and rejects together are all events."""
    events = EventCounters()
    for outcome in Outcome:
        events.outcomes[outcome] += 2
    for reason in Reason:
        events.rejects[reason] += 1
    assert events.total == 2 * len(Outcome) + len(Reason)


def test_outcomes_are_those_of_the_contract() -> None:
    """Metrics and pages use these names."""
    assert set(Outcome) == {"accepted", "duplicate", "unconsented", "before_wipe", "skipped"}


def test_counts_of_processes_add_up() -> None:
    """Every plain count is a sum."""
    processes = []
    for number in (1, 10):
        one = Counters(cpu_s=number / 2)
        one.source.records, one.source.bytes = number, 100 * number
        one.events.users = number
        one.events.outcomes[Outcome.ACCEPTED] = number
        one.events.rejects[Reason.LATE] = number
        one.sink.applied, one.sink.stale, one.sink.gated = number, 2 * number, 3 * number
        one.sink.unwritable, one.sink.gates, one.sink.retries = 4 * number, 5 * number, 6 * number
        one.sink.unannounced = 7 * number
        processes.append(one)
    total = Counters.total(processes)
    assert (total.source.records, total.source.bytes, total.events.users, total.cpu_s) == (11, 1100, 11, 5.5)
    assert total.events.outcomes[Outcome.ACCEPTED] == total.events.rejects[Reason.LATE] == 11
    sink = total.sink
    assert (sink.applied, sink.stale, sink.gated, sink.unwritable, sink.gates, sink.retries, sink.unannounced) == (
        11, 22, 33, 44, 55, 66, 77,
    )  # fmt: skip


def test_total_of_no_process_is_zero() -> None:
    """No process has reported yet."""
    assert Counters.total([]).events.total == 0


def test_stall_lasts_from_the_first_snapshot_to_the_next_read() -> None:
    """Several partitions of a source make one stall; a read without a snapshot makes none."""
    source = SourceCounters()
    source.reads_again(1.0)
    for at in (2.0, 2.5):
        source.stopped(at)
    for at in (3.0, 9.0):
        source.reads_again(at)
    assert (sum(source.commit_stalls.counts), source.commit_stalls.total) == (1, 1.0)
