"""Report of the proof that signals help, as text and tables for an operator."""

from collections.abc import Iterable, Mapping

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from state.learning.bucketed import MIN_ANSWERS, MIN_BUCKETS
from state.learning.proof_report import CandidateProof, Compared, Estimate, ProofReport

NO_HOLDOUT = "no holdout: set share in [holdout] of the catalogue, for workers and readers alike"
NO_CHOICES = "no answers: events need acted_on of choose(), with propensities, and feedback"
NO_PROPOSALS = 'no answers: set mode = "apprentice" in the catalogue, and send Choice.proposed with the feedback'
NO_CHALLENGERS = "none: name one with --challenger"
LITTLE_SUPPORT = 0.9
"""Share of supported answers below which a candidate's estimate gets a warning."""


def proof_lines(namespace: str, report: ProofReport) -> list[RenderableType]:
    """Return headings and tables."""
    off_policy = report.off_policy
    return [
        Text(f"{namespace}: {report.answers:,} answers with feedback", "bold"),
        _heading("Holdout: all other users against users with the catalogue's defaults"),
        _uplift(report),
        _heading("Off-policy: followed signals against defaults, by propensities"),
        _table(("followed", "default"), off_policy) if off_policy else NO_CHOICES,
        _heading("Candidate: the policy of this namespace against the policy of the log"),
        *candidate_lines(report),
        _heading("Apprentice: answers as the signals propose against the others"),
        _apprentice(report) if report.apprentice else NO_PROPOSALS,
        _heading("Confidence: advantage of values over their runners-up"),
        _confidence(report) if report.confidence else NO_CHOICES,
        _heading("Challengers: log loss against the deployed model"),
        _challengers(report) if report.challengers else NO_CHALLENGERS,
    ]


def _heading(text: str) -> Text:
    return Text(f"\n{text}", "bold")


def _uplift(report: ProofReport) -> RenderableType:
    if not report.holdout and not report.uplift.n:
        return NO_HOLDOUT
    return _table(("adapted", "held out"), {"all facets": report.uplift, **report.uplift_by_facet})


def candidate_lines(report: ProofReport) -> list[RenderableType]:
    """Return the estimate of a namespace's policy, or why there is none."""
    if report.candidate is None:
        return [NO_CHOICES]
    found = {"all facets": report.candidate, **report.candidate_by_facet}
    compared = {name: one.compared for name, one in found.items()}
    return [_table(("own", "logged"), compared), *_support(found)]


def _support(found: Mapping[str, CandidateProof]) -> list[RenderableType]:
    little = [f"{name} {one.support:.0%}" for name, one in found.items() if one.support < LITTLE_SUPPORT]
    if not little:
        return []
    return [f"of the rest nothing was served: the estimate stands for {', '.join(little)} of the answers only"]


def why_none(found: Compared) -> str:
    """Return why a comparison has no estimate."""
    if found.effective < MIN_ANSWERS:
        return f"{found.effective} of {MIN_ANSWERS} effective answers: wait"
    return f"answers of fewer than {MIN_BUCKETS} users on one side: wait"


def words(found: Estimate) -> str:
    """Return a difference in words."""
    low, high = found.interval
    if low > 0:
        return "better"
    return "worse" if high < 0 else "no difference shown"


def _table(names: tuple[str, str], compared: Mapping[str, Compared]) -> Table:
    table = _new_table(("facet", "answers", *names, "difference", "95 % interval", ""))
    for facet, found in compared.items():
        if found.estimate is None:
            table.add_row(facet, f"{found.n:,}", "–", "–", "–", "–", why_none(found))
        else:
            table.add_row(facet, f"{found.n:,}", *_cells(found.estimate), words(found.estimate))
    return table


def _new_table(headings: Iterable[str]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for number, heading in enumerate(headings):
        table.add_column(heading, justify="right" if number and heading else "left", no_wrap=bool(heading))
    return table


def _cells(found: Estimate) -> tuple[str, str, str, str]:
    low, high = found.interval
    return f"{found.rate:.3f}", f"{found.other:.3f}", f"{found.difference:+.3f}", f"{low:+.3f} to {high:+.3f}"


def _apprentice(report: ProofReport) -> Table:
    table = _new_table(("facet", "answers", "matched", "liked", "others", "gain", "95 % interval", ""))
    for facet, found in report.apprentice.items():
        rate = "–" if found.match_rate is None else f"{found.match_rate:.1%}"
        estimate = found.gain.estimate
        cells = ("–", "–", "–", "–", why_none(found.gain)) if estimate is None else (*_cells(estimate), words(estimate))
        table.add_row(facet, f"{found.n:,}", rate, *cells)
    return table


def _confidence(report: ProofReport) -> Table:
    table = _new_table(("confidence from", "answers", "observed", "predicted", "interval of the error", ""))
    for found in report.confidence:
        if found.observed is None or found.predicted is None or found.interval is None:
            reason = why_none(Compared(found.n, found.effective))
            table.add_row(f"{found.low}", f"{found.n:,}", "–", "–", "–", reason)
            continue
        low, high = found.interval
        note = "too sure" if high < 0 else "not sure enough" if low > 0 else ""
        cells = f"{found.observed:+.3f}", f"{found.predicted:+.3f}", f"{low:+.3f} to {high:+.3f}"
        table.add_row(f"{found.low}", f"{found.n:,}", *cells, note)
    return table


def _challengers(report: ProofReport) -> Table:
    table = _new_table(("challenger", "users", "answers", "log loss", "deployed", "difference", "95 % interval"))
    table.columns[0].no_wrap, table.columns[0].overflow = False, "fold"  # the path gives way to the figures
    for found in report.challengers:
        cells = found.name, f"{found.share:.0%}", f"{found.n:,}"
        if found.log_loss is None or found.deployed_log_loss is None or found.difference is None:
            table.add_row(*cells, "–", "–", "–", f"fewer than {MIN_BUCKETS} users: wait")
            continue
        interval = "–" if found.interval is None else "{:+.4f} to {:+.4f}".format(*found.interval)
        losses = f"{found.log_loss:.4f}", f"{found.deployed_log_loss:.4f}", f"{found.difference:+.4f}"
        table.add_row(*cells, *losses, interval)
    return table
