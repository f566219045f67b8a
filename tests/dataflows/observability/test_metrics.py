"""Metrics: each counter has its sample, and the samples of a replay match its summary."""

import json
from pathlib import Path

from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from dataflows.observability.metrics import registry
from dataflows.observability.watch import ProcessView
from state.counters import Counters, Histogram, Outcome, SinkCounters
from state.events.records import Reason
from state.learning.challenger import ChallengerScores
from state.learning.paired_loss import LossDifference
from state.row.form import COMPILED
from tests.support.commands import running
from tests.support.monitoring_client import get, scrape
from tests.support.ports import two_free_ports
from tests.support.replays import accounted_for, redis_of_its_own, write_history

COUNTED = {
    "tacit_records_total": 10,
    "tacit_record_bytes_total": 2_000,
    'tacit_source_lag_records{partition="events/0"}': 7,
    'tacit_source_lag_bytes{log="events.jsonl"}': 70,
    'tacit_source_held_records{partition="events/0"}': 3,
    "tacit_source_transaction_age_seconds": 1.5,
    'tacit_source_gap_records_total{reason="expired"}': 4,
    'tacit_source_gap_records_total{reason="recreated"}': 0,
    'tacit_challenger_feedback{model="river.a.B"}': 7,
    'tacit_challenger_log_loss{model="river.a.B"}': 0.6,
    'tacit_challenger_difference{estimate="difference",model="river.a.B"}': 0.1,
    'tacit_challenger_restarts_total{model="river.a.B"}': 2,
    'tacit_challenger_stopped{model="river.c.D"}': 1,
    'tacit_events_total{outcome="accepted"}': 5,
    'tacit_events_total{outcome="duplicate"}': 1,
    'tacit_events_total{outcome="unconsented"}': 0,
    'tacit_events_total{outcome="before_wipe"}': 0,
    'tacit_rejects_total{reason="late"}': 4,
    'tacit_rejects_total{reason="not_json"}': 0,
    "tacit_users": 3,
    "tacit_core_compiled": COMPILED,
    'tacit_signals_total{result="applied"}': 20,
    'tacit_signals_total{result="stale"}': 21,
    'tacit_signals_total{result="gated"}': 22,
    'tacit_signals_total{result="unwritable"}': 23,
    "tacit_gates_total": 24,
    "tacit_redis_retries_total": 25,
    "tacit_changes_unannounced_total": 26,
    "tacit_freshness_seconds_count": 2,
    "tacit_freshness_seconds_sum": 100.5,
    'tacit_freshness_seconds_bucket{le="0.2"}': 0,
    'tacit_freshness_seconds_bucket{le="0.5"}': 1,
    'tacit_freshness_seconds_bucket{le="60.0"}': 1,
    'tacit_freshness_seconds_bucket{le="+Inf"}': 2,
    "tacit_control_effect_seconds_count": 1,
    "tacit_control_effect_seconds_sum": 0.25,
    "tacit_commit_stall_seconds_count": 0,
}


def _counters() -> Counters:
    sink = SinkCounters(applied=20, stale=21, gated=22, unwritable=23, gates=24, retries=25, unannounced=26)
    counters = Counters(sink=sink)
    counters.source.records, counters.source.bytes, counters.source.lag = 10, 2_000, {"events/0": 7}
    counters.source.lag_bytes = {"events.jsonl": 70}
    counters.source.held, counters.source.transaction_s = {"events/0": 3}, 1.5
    counters.source.gaps["expired"] = 4
    counters.events.outcomes |= {Outcome.ACCEPTED: 5, Outcome.DUPLICATE: 1}
    counters.events.rejects[Reason.LATE] = 4
    counters.events.users = 3
    counters.learning.challengers = (
        ChallengerScores("river.a.B", LossDifference(7, 0.5, 0.6, 0.1, None, None), 2, stopped=False),
        ChallengerScores("river.c.D", None, 0, stopped=True),
    )
    for seconds in (0.5, 100.0):
        sink.freshness.add(seconds)
    sink.control_effect.add(0.25)
    return counters


def test_each_counter_has_its_sample() -> None:
    """Prometheus reads names, labels and values."""
    text = generate_latest(registry(ProcessView(_counters()))).decode()
    families = text_string_to_metric_families(text)
    samples = {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}
    found = {name: samples[(name.partition("{")[0], *name.split('"')[1::2])] for name in COUNTED}
    assert found == COUNTED


def test_each_outcome_and_reason_has_a_sample_from_the_start() -> None:
    """Without an initial sample, `rate` would miss the first event."""
    text = generate_latest(registry(ProcessView(Counters()))).decode()
    assert [outcome for outcome in Outcome if f'tacit_events_total{{outcome="{outcome}"}} 0.0' not in text] == []
    assert [reason for reason in Reason if f'tacit_rejects_total{{reason="{reason}"}} 0.0' not in text] == []


def test_memory_and_cpu_time_of_the_process_have_samples() -> None:
    """The process metrics have their usual names."""
    text = generate_latest(registry(ProcessView(Counters()))).decode()
    assert {"process_resident_memory_bytes", "process_cpu_seconds_total"} <= {
        line.split()[0] for line in text.split("\n") if " " in line
    }


def test_histogram_with_other_bounds_keeps_them() -> None:
    """Buckets are cumulative."""
    counters = Counters()
    counters.source.commit_stalls = Histogram(bounds=(1.0, 2.0), counts=[1, 2, 3], total=9.0)
    text = generate_latest(registry(ProcessView(counters))).decode()
    lines = [line.partition("tacit_commit_stall_seconds_")[2] for line in text.splitlines()]
    assert [line for line in lines if line] == [
        'bucket{le="1.0"} 1.0', 'bucket{le="2.0"} 3.0', 'bucket{le="+Inf"} 6.0', "count 6.0", "sum 9.0",
    ]  # fmt: skip


def test_metrics_of_a_replay_match_its_summary(tmp_path: Path) -> None:
    """A scrape in the middle of a replay has fewer counted events than records."""
    write_history(tmp_path / "events.jsonl", users=300, turns=40_000)
    port = two_free_ports()
    words = ["replay", "events.jsonl", "--processes", "2", "--metrics", f"127.0.0.1:{port}", "--json"]
    named = ("tacit_users", "tacit_gates_total", 'tacit_signals_total{result="applied"}')
    with redis_of_its_own() as (url, client), running([*words, "--redis", url], tmp_path / "log") as run:
        run.wait_for(lambda: client.dbsize() > 50, "the first signals")

        def both_have_written() -> bool:
            return all(scrape(port + number)[name] > 0 for number in range(2) for name in named)

        run.wait_for(both_have_written, "both processes to write")  # the second process may get its first batch later
        first, second = scrape(port), scrape(port + 1)
        statuses = [get(port + number, "/healthz")[0] for number in range(2)]
        assert run.process.wait(60) == 0
        summary = json.loads(run.output[run.output.index("{\n") :])  # behind lines of progress, if any
    assert statuses == [200, 200]
    assert first["tacit_records_total"] + second["tacit_records_total"] > 0
    counted = [v for s in (first, second) for n, v in s.items() if n.startswith(("tacit_events_", "tacit_rejects_"))]
    assert 0 < sum(counted) < accounted_for(summary) == summary["read"]
