"""Metrics of proof: each estimate has its samples, and a comparison without an estimate has none."""

import pytest
from msgspec.structs import replace

from dataflows.observability.metrics import registry
from dataflows.observability.watch import ProcessView
from state.counters import Counters
from state.learning.proof_report import ConfidenceProof, ProofReport, encode_report
from tests.support.sample_proof import REPORT

EXPECTED = {
    ("tacit_proof_answers",): 12_345,
    ("tacit_uplift", "*", "adapted"): 0.62,
    ("tacit_uplift", "*", "held_out"): 0.55,
    ("tacit_uplift", "*", "difference"): 0.07,
    ("tacit_uplift", "*", "low"): 0.03,
    ("tacit_uplift", "length", "high"): 0.06,
    ("tacit_off_policy_like_rate", "length", "followed"): 0.62,
    ("tacit_candidate_like_rate", "*", "own"): 0.62,
    ("tacit_candidate_like_rate", "length", "logged"): 0.5,
    ("tacit_apprentice_match_rate", "length"): 0.412,
    ("tacit_apprentice_gain", "length", "difference"): 0.01,
    ("tacit_confidence_error", "0.5"): pytest.approx(-0.05),
    ("tacit_confidence_excess", "0.5"): 0.03,
}


def samples(report: ProofReport) -> dict[tuple[str, ...], float]:
    counters = Counters()
    counters.learning.proof = encode_report(report)
    families = registry(ProcessView(counters)).collect()
    return {(s.name, *s.labels.values()): s.value for family in families for s in family.samples}


def test_each_estimate_has_its_samples() -> None:
    """Facets with too few answers have none."""
    found = samples(REPORT)
    assert {name: found[name] for name in EXPECTED} == EXPECTED
    assert not [name for name in found if "tone" in name or "0.6" in name]


@pytest.mark.parametrize(("interval", "excess"), [((-0.01, 0.02), 0.0), ((0.04, 0.09), 0.04), ((-0.09, -0.04), 0.04)])
def test_excess_is_the_part_of_an_error_that_chance_does_not_explain(
    interval: tuple[float, float], excess: float
) -> None:
    """The alert rule looks at it."""
    report = replace(REPORT, confidence=(ConfidenceProof(0.9, 900, 80, 0.1, 0.05, interval),))
    assert samples(report)["tacit_confidence_excess", "0.9"] == excess
