"""Evaluation: predictions of the deployed model on any event stream, compared with those of River's models."""

from tacit_lab.evaluate.baselines import Predictor, RiverBaseline, baselines
from tacit_lab.evaluate.evaluation import Evaluation, Model, Pair, compare, evaluate
from tacit_lab.evaluate.figures import ALL, BUCKETS, Bucket, Figures, figures_of
from tacit_lab.evaluate.paired_table import choices_table, paired_table
from tacit_lab.evaluate.plot import plot, require_plot
from tacit_lab.evaluate.table import evaluation_table

__all__ = [
    "ALL",
    "BUCKETS",
    "Bucket",
    "Evaluation",
    "Figures",
    "Model",
    "Pair",
    "Predictor",
    "RiverBaseline",
    "baselines",
    "choices_table",
    "compare",
    "evaluate",
    "evaluation_table",
    "figures_of",
    "paired_table",
    "plot",
    "require_plot",
]
