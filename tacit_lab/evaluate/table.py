"""Table of an evaluation: a line per model, with a mark on the best of each column."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from tacit_lab.evaluate.evaluation import Evaluation
from tacit_lab.evaluate.figures import ALL, BUCKETS, CALIBRATION_BINS


class _Column(NamedTuple):
    heading: str
    values: Sequence[float | None]
    """Values by model."""
    digits: int
    """Digits after the point."""
    more_is_better: bool = False

    def cells(self) -> list[Text]:
        """Return the values as text, with a star after each value that equals the best one as text."""
        texts = ["–" if value is None else f"{value:.{self.digits}f}" for value in self.values]
        known = [float(text) for text in texts if text != "–"]
        best = (max if self.more_is_better else min)(known, default=None)
        return [
            Text(f"{text}*", "green") if text != "–" and float(text) == best else Text(f"{text} ") for text in texts
        ]


def evaluation_table(evaluation: Evaluation) -> Table:
    """Return the figures of the last 70% of the examples."""
    columns = _columns(evaluation)
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style="dim", caption=_caption(evaluation))
    table.caption_justify, table.caption_style = "left", "dim"
    table.add_column("log loss", no_wrap=True)
    for column in columns:
        table.add_column(f"{column.heading} ", justify="right", no_wrap=True)
    rows = zip(evaluation.models, *(column.cells() for column in columns), strict=True)
    for model, *cells in rows:
        table.add_row(model.title, *cells, style="bold" if model is evaluation.deployed else "")
    return table


def _columns(evaluation: Evaluation) -> list[_Column]:
    models, start = evaluation.models, evaluation.scored_from
    columns = [
        _Column(
            bucket.name.replace("-", "–"),
            [evaluation.figures(model, bucket, start).log_loss for model in models],
            digits=3,
        )
        for bucket in BUCKETS
    ]
    found = [evaluation.figures(model, ALL, start) for model in models]
    return [
        *columns,
        _Column("all", [figures.log_loss for figures in found], digits=3),
        _Column("AUC", [figures.auc for figures in found], digits=3, more_is_better=True),
        _Column("right", [figures.accuracy for figures in found], digits=3, more_is_better=True),
        _Column("ECE", [figures.ece for figures in found], digits=3),
        _Column("CPU µs", [evaluation.cpu_us(model) for model in models], digits=0),
    ]


def _caption(evaluation: Evaluation) -> str:
    count, read = len(evaluation.feedback), evaluation.counters.source.records
    scored = count - evaluation.scored_from
    rejected = sum(evaluation.counters.events.rejects.values())
    return (
        f"{read:,} events ({rejected:,} rejected), {count:,} answers with feedback of {evaluation.users:,} users. "
        + (
            f"After {evaluation.restarts:,} wipes and absences all models start the user again. "
            if evaluation.restarts
            else ""
        )
        + f"The last {scored:,} answers are scored, each before it trains the models. Log loss by the number of the "
        f"answer among the user's; AUC, share predicted right, calibration error ({CALIBRATION_BINS} bins) over all; "
        "CPU time of prediction and training per answer. full: with items and topics. * best of its column"
        + (f"\nWARNING: {evaluation.warning}" if evaluation.warning else "")
    )
