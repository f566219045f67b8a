"""Proof that signals help, as Prometheus metrics."""

from collections.abc import Iterator, Mapping

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from state.learning.candidate import ALL
from state.learning.proof_report import Compared, ConfidenceProof, Estimate, ProofReport

Named = tuple[str, str]
"""Names of the two rates of a comparison."""


def proof_metrics(report: ProofReport) -> Iterator[Metric]:
    """Yield the estimates of a report; a figure without an estimate has no sample. The facet `*` is all facets."""
    yield GaugeMetricFamily("tacit_proof_answers", "Answers with feedback behind the proof.", value=report.answers)
    family = GaugeMetricFamily(
        "tacit_uplift",
        "Rate of likes against the holdout; low and high are a confidence sequence.",
        labels=["facet", "estimate"],
    )
    yield _with_estimates(family, ("adapted", "held_out"), {ALL: report.uplift, **report.uplift_by_facet})
    family = GaugeMetricFamily(
        "tacit_off_policy_like_rate", "Rate of likes by inverse propensity, per facet.", labels=["facet", "estimate"]
    )
    yield _with_estimates(family, ("followed", "default"), report.off_policy)
    candidates = {name: found.compared for name, found in report.candidate_by_facet.items()}
    if report.candidate:
        candidates[ALL] = report.candidate.compared
    family = GaugeMetricFamily(
        "tacit_candidate_like_rate",
        "Rate of likes of the namespace's own policy, against the policy of the log.",
        labels=["facet", "estimate"],
    )
    yield _with_estimates(family, ("own", "logged"), candidates)
    yield from _apprentice(report)
    yield from _confidence(report.confidence)


def _with_estimates(family: GaugeMetricFamily, named: Named, compared: Mapping[str, Compared]) -> Metric:
    """Return the family with the rates, difference and interval of each comparison with an estimate."""
    for facet, found in compared.items():
        if found.estimate is not None:
            for estimate, value in _values(found.estimate, named):
                family.add_metric([facet, estimate], value)
    return family


def _values(found: Estimate, named: Named) -> Iterator[tuple[str, float]]:
    names = (*named, "difference", "low", "high")
    yield from zip(names, (found.rate, found.other, found.difference, *found.interval), strict=True)


def _apprentice(report: ProofReport) -> Iterator[Metric]:
    rates = GaugeMetricFamily(
        "tacit_apprentice_match_rate", "Share of answers that were served as proposed.", labels=["facet"]
    )
    for facet, found in report.apprentice.items():
        if found.match_rate is not None:
            rates.add_metric([facet], found.match_rate)
    yield rates
    gains = {facet: found.gain for facet, found in report.apprentice.items()}
    family = GaugeMetricFamily(
        "tacit_apprentice_gain",
        "Rate of likes of answers that were served as proposed, against the others.",
        labels=["facet", "estimate"],
    )
    yield _with_estimates(family, ("matched", "other"), gains)


def _confidence(bins: tuple[ConfidenceProof, ...]) -> Iterator[Metric]:
    error = GaugeMetricFamily(
        "tacit_confidence_error",
        "Observed advantage of values over runners-up, less the predicted one, by confidence.",
        labels=["bin"],
    )
    excess = GaugeMetricFamily(
        "tacit_confidence_excess",
        "The part of the error that chance does not explain: from 0 to the nearer end of its 95 % interval.",
        labels=["bin"],
    )
    for found in bins:
        if found.observed is not None and found.predicted is not None and found.interval is not None:
            low, high = found.interval
            error.add_metric([str(found.low)], found.observed - found.predicted)
            excess.add_metric([str(found.low)], max(low, -high, 0.0))
    yield error
    yield excess
