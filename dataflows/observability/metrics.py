"""Counters of a process as Prometheus metrics. No metric and no label identifies a user."""

from collections.abc import Iterator, Sequence
from itertools import accumulate
from time import monotonic

from prometheus_client import CollectorRegistry, PlatformCollector, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from connectors.kafka.gaps import GapReason
from dataflows.observability.proof_metrics import proof_metrics
from dataflows.observability.watch import ProcessView
from state.counters import Counters, Histogram, SourceCounters
from state.learning.challenger import ChallengerScores
from state.learning.population_version import Scores
from state.learning.proof_report import decode_report
from state.row.form import COMPILED


class CountersCollector(Collector):
    """Collector that reads the newest counters of a process at each scrape."""

    def __init__(self, process: ProcessView) -> None:
        self._process = process

    @property
    def _counters(self) -> Counters:
        return self._process.counters

    def collect(self) -> Iterator[Metric]:
        """Yield every metric family."""
        yield from self._source()
        yield from self._events()
        yield from self._sink()
        yield from self._learning()
        yield from self._checkpoints()

    def _source(self) -> Iterator[Metric]:
        source = self._counters.source
        yield CounterMetricFamily("tacit_records", "Records read.", value=source.records)
        yield CounterMetricFamily("tacit_record_bytes", "Bytes of records read.", value=source.bytes)
        lag = GaugeMetricFamily(
            "tacit_source_lag_records",
            "Records between the position of the source and the end, with those behind an open transaction.",
            labels=["partition"],
        )
        for partition, records in source.lag.copy().items():
            lag.add_metric([partition], records)
        yield lag
        lag_bytes = GaugeMetricFamily(
            "tacit_source_lag_bytes",
            "Bytes of a log between the position and the end, with those of an unfinished last line.",
            labels=["log"],
        )
        for log, size in source.lag_bytes.copy().items():
            lag_bytes.add_metric([log], size)
        yield lag_bytes
        yield from _held(source)
        yield GaugeMetricFamily(
            "tacit_progress_age_seconds",
            "Time since the source passed records on, or was reachable without new records.",
            value=max(0.0, monotonic() - source.progressed_at),
        )
        yield histogram(
            "tacit_commit_stall_seconds", "Time for which a checkpoint stops the stream.", source.commit_stalls
        )

    def _events(self) -> Iterator[Metric]:
        events = self._counters.events
        outcomes = CounterMetricFamily("tacit_events", "Events by outcome.", labels=["outcome"])
        for outcome, count in events.outcomes.items():
            outcomes.add_metric([outcome], count)
        yield outcomes
        rejects = CounterMetricFamily("tacit_rejects", "Rejected records by reason.", labels=["reason"])
        for reason, count in events.rejects.items():
            rejects.add_metric([reason], count)
        yield rejects
        controls = CounterMetricFamily(
            "tacit_control_rejects", "Control events that cannot be carried out, by reason.", labels=["reason"]
        )
        for reason, count in events.control_rejects.items():
            controls.add_metric([reason], count)
        yield controls
        repaired = CounterMetricFamily(
            "tacit_control_repaired", "Control events carried out despite a broken member.", labels=["kind", "field"]
        )
        for (kind, member), count in events.repaired.copy().items():
            repaired.add_metric([kind, member], count)
        yield repaired
        yield GaugeMetricFamily("tacit_users", "Users with state in this process.", value=events.users)
        yield GaugeMetricFamily("tacit_core_compiled", "1: the core runs compiled; 0: as plain Python.", value=COMPILED)

    def _sink(self) -> Iterator[Metric]:
        sink = self._counters.sink
        signals = CounterMetricFamily("tacit_signals", "Fields written to Redis, by result.", labels=["result"])
        for result in ("applied", "stale", "gated", "unwritable"):
            signals.add_metric([result], getattr(sink, result))
        yield signals
        yield CounterMetricFamily("tacit_gates", "Wipes and consent changes written to Redis.", value=sink.gates)
        yield CounterMetricFamily("tacit_redis_retries", "Repeated commands to Redis.", value=sink.retries)
        yield CounterMetricFamily(
            "tacit_changes_unannounced",
            "Entries of the feed of changes that Redis did not take; their users wait for the next entry.",
            value=sink.unannounced,
        )
        yield histogram("tacit_freshness_seconds", "From an event's time to its signal in Redis.", sink.freshness)
        yield histogram(
            "tacit_control_effect_seconds",
            "From the time of a consent, a pin or a forget to its gate in Redis, which readers obey.",
            sink.control_effect,
        )

    def _checkpoints(self) -> Iterator[Metric]:
        checkpoints = self._counters.checkpoints
        if checkpoints.made_at is not None:
            yield GaugeMetricFamily(
                "tacit_checkpoint_age_seconds",
                "Time since the last checkpoint; a process without changes makes none.",
                value=max(0.0, monotonic() - checkpoints.made_at),
            )
        yield GaugeMetricFamily(
            "tacit_checkpoint_bytes", "Size of the newest checkpoints of all shards.", value=checkpoints.bytes
        )
        yield histogram(
            "tacit_checkpoint_seconds", "Time that a checkpoint of all changed shards took.", checkpoints.durations
        )

    def _learning(self) -> Iterator[Metric]:
        learning = self._counters.learning
        yield CounterMetricFamily(
            "tacit_examples", "Feedback events that trained the population model.", value=learning.examples
        )
        yield CounterMetricFamily(
            "tacit_examples_limited",
            "Feedback events above the limits per user, not trained on.",
            value=learning.limited,
        )
        yield GaugeMetricFamily(
            "tacit_population_version", "Newest population version of this process; 0: none.", value=learning.version
        )
        if learning.scores is not None:
            yield from _scores(learning.scores)
        if learning.proof:
            yield from proof_metrics(decode_report(learning.proof))
        yield from _challengers(learning.challengers)


def _held(source: SourceCounters) -> Iterator[Metric]:
    """Yield the records behind open transactions, and those that gaps of a topic lost."""
    held = GaugeMetricFamily(
        "tacit_source_held_records", "The part of the lag that waits behind an open transaction.", labels=["partition"]
    )
    for partition, records in source.held.copy().items():
        held.add_metric([partition], records)
    yield held
    yield GaugeMetricFamily(
        "tacit_source_transaction_age_seconds",
        "Age of the oldest open transaction that holds records back; 0: none does.",
        value=source.transaction_s,
    )
    gaps = CounterMetricFamily(
        "tacit_source_gap_records", "Records that a topic lost before or after they were read.", labels=["reason"]
    )
    for reason in GapReason:
        gaps.add_metric([reason], source.gaps[reason])
    yield gaps


def _challengers(challengers: Sequence[ChallengerScores]) -> Iterator[Metric]:
    """Yield the figures of the challengers up to the newest population version."""
    feedback = GaugeMetricFamily(
        "tacit_challenger_feedback", "Feedback events that a challenger predicted.", labels=["model"]
    )
    losses = GaugeMetricFamily("tacit_challenger_log_loss", "Mean log loss of a challenger, in nats.", labels=["model"])
    differences = GaugeMetricFamily(
        "tacit_challenger_difference",
        "Log loss of a challenger minus that of the deployed model, with its 95% interval; below 0: it is better.",
        labels=["model", "estimate"],
    )
    restarts = CounterMetricFamily(
        "tacit_challenger_restarts", "Starts without examples, because a user was wiped.", labels=["model"]
    )
    stopped = GaugeMetricFamily("tacit_challenger_stopped", "1: an error stopped the challenger.", labels=["model"])
    for each in challengers:
        restarts.add_metric([each.model], each.restarts)
        stopped.add_metric([each.model], each.stopped)
        if each.loss is not None:
            feedback.add_metric([each.model], each.loss.n)
            losses.add_metric([each.model], each.loss.second)
            for name in ("difference", "low", "high"):
                value = getattr(each.loss, name)
                if value is not None:
                    differences.add_metric([each.model, name], value)
    if challengers:
        yield from (feedback, losses, differences, restarts, stopped)


def _scores(scores: Scores) -> Iterator[Metric]:
    """Yield the scores of predictions up to the newest population version."""
    yield GaugeMetricFamily("tacit_scored_feedback", "Feedback events with a scored prediction.", value=scores.n)
    losses = GaugeMetricFamily("tacit_log_loss", "Mean log loss of predictions, in nats.", labels=["model"])
    losses.add_metric(["deployed"], scores.log_loss)
    losses.add_metric(["constant"], scores.constant_log_loss)
    yield losses
    yield GaugeMetricFamily("tacit_auc", "Area under the ROC curve of the latest feedback.", value=scores.auc)
    yield GaugeMetricFamily("tacit_calibration_error", "Expected calibration error, in ten bins.", value=scores.ece)
    yield CounterMetricFamily("tacit_loss_drifts", "Changes of the log loss that ADWIN found.", value=scores.drifts)
    gains = GaugeMetricFamily(
        "tacit_facet_gain",
        "Reduction of the log loss by a facet; up to 0: the facet emits no signal.",
        labels=["facet"],
    )
    for facet, score in scores.facets.items():
        gains.add_metric([facet], score.gain)
    yield gains


def histogram(name: str, text: str, counts: Histogram) -> HistogramMetricFamily:
    """Return a histogram as a metric family."""
    bounds = [*(repr(bound) for bound in counts.bounds), "+Inf"]
    buckets = list(zip(bounds, accumulate(counts.counts), strict=True))
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=counts.total)


def registry(process: ProcessView) -> CollectorRegistry:
    """Return a registry of the counters and of the metrics of a process."""
    registry = CollectorRegistry()
    registry.register(CountersCollector(process))
    ProcessCollector(pid=lambda: process.pid, registry=registry)
    PlatformCollector(registry=registry)
    return registry
