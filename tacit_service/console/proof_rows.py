"""Rows of the proof that signals help, as texts."""

from typing import NamedTuple

from state.learning.proof_report import Compared, ConfidenceProof, ProofReport
from tacit_cli.views.proof_tables import NO_CHALLENGERS, NO_CHOICES, NO_HOLDOUT, why_none, words
from tacit_service.console.texts import share


class Comparison(NamedTuple):
    """Rates of likes of two sides."""

    name: str
    answers: str
    rates: tuple[str, str]
    difference: str
    interval: str
    result: str
    """In words; or the reason why there is no estimate."""


class Bin(NamedTuple):
    """Confidences of one bin."""

    low: str
    answers: str
    observed: str
    predicted: str
    result: str


class ProofRows(NamedTuple):
    """Tables, each with the reason for being empty."""

    uplift: tuple[Comparison, ...]
    no_uplift: str
    challengers: tuple[Comparison, ...]
    no_challengers: str
    confidence: tuple[Bin, ...]
    no_confidence: str


def proof_rows(report: ProofReport) -> ProofRows:
    """Return the tables of a report."""
    has_uplift = bool(report.holdout or report.uplift.n)
    uplift = {"all facets": report.uplift, **report.uplift_by_facet} if has_uplift else {}
    return ProofRows(
        tuple(_comparison(name, found) for name, found in uplift.items()),
        NO_HOLDOUT,
        tuple(_challenger(report)),
        NO_CHALLENGERS,
        tuple(map(_bin, report.confidence)),
        NO_CHOICES,
    )


def _comparison(name: str, found: Compared) -> Comparison:
    if found.estimate is None:
        return Comparison(name, f"{found.n:,}", ("–", "–"), "–", "–", why_none(found))
    rates = share(found.estimate.rate, 1), share(found.estimate.other, 1)
    low, high = found.estimate.interval
    interval = f"{low:+.3f} to {high:+.3f}"
    return Comparison(name, f"{found.n:,}", rates, f"{found.estimate.difference:+.3f}", interval, words(found.estimate))


def _challenger(report: ProofReport) -> list[Comparison]:
    rows = []
    for found in report.challengers:
        if found.log_loss is None or found.deployed_log_loss is None or found.difference is None:
            rows.append(Comparison(found.name, f"{found.n:,}", ("–", "–"), "–", "–", "too few users: wait"))
            continue
        low, high = found.interval or (0.0, 0.0)
        result = "better" if high < 0 else "worse" if low > 0 else "no difference shown"
        losses = f"{found.log_loss:.4f}", f"{found.deployed_log_loss:.4f}"
        row = f"{found.difference:+.4f}", f"{low:+.4f} to {high:+.4f}", result
        rows.append(Comparison(found.name, f"{found.n:,}", losses, *row))
    return rows


def _bin(found: ConfidenceProof) -> Bin:
    if found.observed is None or found.predicted is None or found.interval is None:
        return Bin(f"{found.low:g}", f"{found.n:,}", "–", "–", why_none(Compared(found.n, found.effective)))
    low, high = found.interval
    result = "too sure" if high < 0 else "not sure enough" if low > 0 else "as predicted"
    return Bin(f"{found.low:g}", f"{found.n:,}", f"{found.observed:+.3f}", f"{found.predicted:+.3f}", result)
