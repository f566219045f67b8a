"""Tables of paired comparisons: a line per bucket, with the interval of the difference."""

from rich.table import Table

from state.learning.candidate import ALL as ALL_FACETS
from state.learning.paired_loss import LossDifference
from tacit_lab.evaluate.evaluation import Evaluation, Pair
from tacit_lab.evaluate.figures import ALL, BUCKETS


def paired_table(evaluation: Evaluation, pair: Pair) -> Table:
    """Return a comparison for the last 70% of the examples."""
    title = f"{pair.second.title} against {pair.first.title}, on the same answers"
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", title=title, caption=_CAPTION)
    table.title_justify, table.title_style = "left", "bold"
    table.caption_justify, table.caption_style = "left", "dim"
    table.add_column("log loss", no_wrap=True)
    for heading in ("answers", pair.second.title, pair.first.title, "difference", "95% interval"):
        table.add_column(heading, justify="right")
    for bucket in (*BUCKETS, ALL):
        found = evaluation.paired(pair, bucket, evaluation.scored_from)
        if found is not None:
            table.add_row(bucket.name.replace("-", "–"), f"{found.n:,}", *_cells(found))
    return table


def _cells(found: LossDifference) -> list[str]:
    interval = "–" if found.low is None or found.high is None else f"{found.low:+.4f} to {found.high:+.4f}"
    return [f"{found.second:.4f}", f"{found.first:.4f}", f"{found.difference:+.4f}", interval]


def choices_table(pair: Pair) -> Table | None:
    """Return the rates of likes of both models' choices; None without logged choices."""
    found = pair.choices.differences() if pair.choices is not None else {}
    if not any(each.n for each in found.values()):
        return None
    title = f"Choices of {pair.second.title} and {pair.first.title}, by the propensities of the log"
    table = Table(box=None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim", title=title)
    table.title_justify, table.title_style = "left", "bold"
    table.add_column("rate of likes", no_wrap=True)
    for heading in ("effective", pair.second.title, pair.first.title, "difference", "95% interval"):
        table.add_column(heading, justify="right")
    for facet, each in found.items():
        name = "all facets" if facet == ALL_FACETS else facet
        low, high = each.interval
        cells = (f"{each.rate:.3f}", f"{each.other:.3f}", f"{each.difference:+.3f}", f"{low:+.3f} to {high:+.3f}")
        table.add_row(name, f"{each.effective:.0f}", *(cells if each.suffices else ("too few", "", "", "")))
    return table


_CAPTION = "Below 0 the first column is better. The interval is over 64 buckets of users."
