"""The history of measures in memory, from samples as a process serves them."""

from collections.abc import Iterable

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tacit_service.console.history import EVERY_S, KEPT_S, MAX_GROUPS, MAX_POINTS, History
from tacit_service.console.measures import Measure

RECORDS = Measure("tacit_records_total", "records", "rate")
REJECTS = Measure("tacit_rejects_total", "{}", "rate", by="reason")
LAG = Measure("tacit_source_lag_records", "lag")
TIMES = Measure("tacit_freshness_seconds", "half are faster", "quantile", quantile=0.5)


def samples(*lines: str) -> Iterable[Sample]:
    """Return the samples in lines of the text format."""
    families = text_string_to_metric_families("\n".join(lines) + "\n")
    return [sample for family in families for sample in family.samples]


def test_rate_is_the_increase_of_all_processes() -> None:
    history = History([RECORDS])
    for at_s, first, second in ((0, 100, 7), (10, 150, 17), (20, 150, 27)):
        history.add(at_s, {"a": samples(f"tacit_records_total {first}"), "b": samples(f"tacit_records_total {second}")})
    assert history.read(20).lines == [{"": [None, 6.0, 3.5]}]


def test_rate_covers_a_minute() -> None:
    history = History([RECORDS])
    for at_s in range(0, 301, 5):
        history.add(at_s, {"a": samples(f"tacit_records_total {at_s * 2 if at_s < 200 else 400}")})
    [line] = history.read(300).lines
    assert [line[""][at_s // 5] for at_s in (100, 200, 230, 300)] == [2.0, 2.0, 1.0, 0.0]


def test_restart_of_a_process_counts_from_zero() -> None:
    history = History([RECORDS])
    for at_s, count in ((0, 900), (10, 1000), (20, 30)):
        history.add(at_s, {"a": samples(f"tacit_records_total {count}")})
    assert history.read(20).lines == [{"": [None, 10.0, 6.5]}]


def test_new_label_counts_from_zero() -> None:
    """The first reject of a reason shows, though its counter did not exist before."""
    history = History([REJECTS])
    history.add(0, {"a": samples('tacit_rejects_total{reason="late"} 3')})
    history.add(10, {"a": samples('tacit_rejects_total{reason="late"} 3', 'tacit_rejects_total{reason="invalid"} 5')})
    assert history.read(10).lines == [{"invalid": [None, 0.5], "late": [None, 0.0]}]


def test_first_counter_of_a_measure_counts_from_zero() -> None:
    """The first reject of all shows, though the process served no counter of rejects before."""
    history = History([REJECTS, RECORDS])
    history.add(0, {"a": samples("tacit_records_total 9")})
    history.add(10, {"a": samples("tacit_records_total 9", 'tacit_rejects_total{reason="late"} 5')})
    assert history.read(10).lines == [{"late": [None, 0.5]}, {"": [None, 0.0]}]


def test_outage_is_a_gap() -> None:
    """A process that does not answer has no figures, and its counts are not those of the first look afterwards."""
    history = History([LAG, RECORDS])
    served = [("tacit_source_lag_records 4", f"tacit_records_total {count}") for count in (0, 100, 300)]
    for at_s, lines in ((0, served[0]), (10, served[1]), (20, None), (110, served[2])):
        history.add(at_s, {} if lines is None else {"a": samples(*lines)})
    assert history.read(110).lines == [{"": [4.0, 4.0, None, 4.0]}, {"": [None, 10.0, None, 2.0]}]


def test_rate_begins_when_a_process_answers_first() -> None:
    history = History([RECORDS])
    for at_s, count in ((0, None), (10, None), (20, 50), (30, 150)):
        history.add(at_s, {} if count is None else {"a": samples(f"tacit_records_total {count}")})
    assert history.read(30).lines == [{"": [None, None, None, 10.0]}]


def test_quantile_is_that_of_the_last_minute() -> None:
    history = History([TIMES])
    for at_s, slow in ((0, 0), (60, 10), (120, 10), (180, 10)):
        buckets = [("0.1", at_s), ("1.0", at_s + slow), ("+Inf", at_s + slow)]
        history.add(at_s, {"a": samples(*(f'tacit_freshness_seconds_bucket{{le="{le}"}} {n}' for le, n in buckets))})
    [line] = history.read(180).lines
    assert line[""] == [None, *(pytest.approx(value) for value in (35 / 60 * 0.1, 0.05, 0.05))]


def test_gauges_of_processes_are_combined() -> None:
    measures = [LAG, LAG._replace(combine="max"), LAG._replace(combine="min")]
    history = History(measures)
    lines = ['tacit_source_lag_records{partition="0"} 4', 'tacit_source_lag_records{partition="1"} 1']
    history.add(0, {"a": samples(*lines), "b": samples('tacit_source_lag_records{partition="2"} 2')})
    assert history.read(0).lines == [{"": [7.0]}, {"": [4.0]}, {"": [1.0]}]


def test_only_samples_with_the_labels_count() -> None:
    history = History([LAG._replace(where=(("partition", "1"),))])
    lines = ['tacit_source_lag_records{partition="0"} 4', 'tacit_source_lag_records{partition="1"} 1']
    history.add(0, {"a": samples(*lines)})
    assert history.read(0).lines == [{"": [1.0]}]


def test_history_is_bounded() -> None:
    """It keeps an hour of points and some values of a label, and a reading has some hundred times."""
    history = History([REJECTS, LAG])
    for look in range(2 * KEPT_S // EVERY_S):
        rejects = f'tacit_rejects_total{{reason="r{look}"}} 1'
        history.add(look * EVERY_S, {"a": samples(rejects, "tacit_source_lag_records 1")})
    assert len(history) == KEPT_S // EVERY_S
    reading = history.read(2 * KEPT_S)
    assert len(reading.times_s) <= MAX_POINTS
    assert KEPT_S <= reading.times_s[0] < reading.times_s[-1] == 2 * KEPT_S - EVERY_S
    assert len(reading.lines[0]) == MAX_GROUPS
    assert history.read(4 * KEPT_S).times_s == []
