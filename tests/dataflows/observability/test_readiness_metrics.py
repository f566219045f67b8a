"""Readiness as metrics: each reason has a sample from the start, and a present one is 1."""

from time import monotonic

from prometheus_client import CollectorRegistry, generate_latest

from dataflows.observability import watch as reasons
from dataflows.observability.http import monitors
from dataflows.observability.readiness_metrics import ReadinessCollector
from dataflows.observability.watch import KAFKA, REASONS, REDIS, STALLED, STALLED_AFTER_S, STARTING, Watch
from tests.support.monitoring_client import scrape
from tests.support.ports import free_port


def served(watch: Watch) -> tuple[bool, set[str]]:
    """Return whether a run is ready, and its present reasons."""
    registry = CollectorRegistry()
    registry.register(ReadinessCollector(watch))
    lines = generate_latest(registry).decode().splitlines()
    values = [line.split('reason="')[1].split('"}') for line in lines if line.startswith("tacit_unready{")]
    assert {reason for reason, _ in values} == set(REASONS)
    return "tacit_ready 1.0" in lines, {reason for reason, value in values if float(value)}


def test_present_reasons_are_one_and_all_others_zero() -> None:
    """A start has a reason until the source makes progress."""
    watch = Watch()
    assert served(watch) == (False, {STARTING})
    watch.processes[0].counters.source.progressed_at = monotonic()
    assert served(watch) == (True, set())
    watch.fail(REDIS)
    watch.processes[0].counters.source.absent_at = monotonic()
    watch.processes[0].counters.source.progressed_at -= STALLED_AFTER_S
    assert served(watch) == (False, {REDIS, KAFKA, STALLED})


def test_no_reason_is_missing_in_the_list() -> None:
    """A reason without a sample would raise no alert."""
    assert {value for name, value in vars(reasons).items() if name.isupper() and isinstance(value, str)} == set(REASONS)


def test_metrics_of_a_run_have_its_readiness() -> None:
    """Each process serves that of the run."""
    watch, port = Watch(processes=2), free_port()
    with monitors(f"127.0.0.1:{port}", watch):
        assert scrape(port)['tacit_unready{reason="starting"}'] == 1
