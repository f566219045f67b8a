"""An evaluation for users: a line per model, the best of each column marked."""

from collections.abc import Sequence
from typing import NamedTuple

from rich.table import Table
from rich.text import Text

from tacit_lab.evaluate.evaluation import Evaluation
from tacit_lab.evaluate.figures import ALL, BUCKETS, CALIBRATION_BINS


class _Column(NamedTuple):
    heading: str
    values: Sequence[float | None]
    """By model."""
    places: int
    """Behind the point."""
    more_is_better: bool = False

    def cells(self) -> list[Text]:
        """Return the values as text, with a star behind the best as far as the text shows."""
        texts = ["–" if value is None else f"{value:.{self.places}f}" for value in self.values]
        known = [float(text) for text in texts if text != "–"]
        best = (max if self.more_is_better else min)(known, default=None)
        return [
            Text(f"{text}*", "green") if text != "–" and float(text) == best else Text(f"{text} ") for text in texts
        ]


def evaluation_table(evaluation: Evaluation) -> Table:
    """Return the figures of the last 70% of all pieces of feedback."""
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
            places=3,
        )
        for bucket in BUCKETS
    ]
    found = [evaluation.figures(model, ALL, start) for model in models]
    return [
        *columns,
        _Column("all", [figures.log_loss for figures in found], places=3),
        _Column("AUC", [figures.auc for figures in found], places=3, more_is_better=True),
        _Column("right", [figures.accuracy for figures in found], places=3, more_is_better=True),
        _Column("ECE", [figures.ece for figures in found], places=3),
        _Column("CPU µs", [evaluation.cpu_us(model) for model in models], places=0),
    ]


def _caption(evaluation: Evaluation) -> str:
    judged, read = len(evaluation.feedback), evaluation.counters.source.records
    scored = judged - evaluation.scored_from
    rejected = sum(evaluation.counters.events.rejects.values())
    return (
        f"{read:,} events ({rejected:,} rejected): {judged:,} pieces of feedback of {evaluation.users:,} users, the last "
        f"{scored:,} of them scored, each before it was learned from. Log loss by the user's number of pieces of feedback "
        f"so far; AUC, share predicted right, calibration error ({CALIBRATION_BINS} bins) of all; CPU of predicting "
        "and learning per piece of feedback. full: with items and topics. * best of its column"
    )
