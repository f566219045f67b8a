"""Reference of the metrics, from the module that serves them."""

import ast
import inspect
from collections.abc import Iterator
from types import ModuleType
from typing import NamedTuple

from dataflows.observability import cut_metrics, metrics, parity_metrics, proof_metrics, readiness_metrics
from tacit_service import metrics as service_metrics
from tools.docs.markdown import code, table


class Metric(NamedTuple):
    """A metric as Prometheus shows it."""

    name: str
    type: str
    labels: tuple[str, ...]
    help: str


def served_metrics() -> list[Metric]:
    """Return every metric that the modules construct, in their order."""
    modules = (metrics, readiness_metrics, cut_metrics, proof_metrics, parity_metrics, service_metrics)
    return [metric for module in modules for metric in _constructed(module)]


def _constructed(module: ModuleType) -> list[Metric]:
    calls = [node for node in ast.walk(ast.parse(inspect.getsource(module))) if isinstance(node, ast.Call)]
    return [metric for call in sorted(calls, key=lambda call: call.lineno) for metric in _metric(call)]


def _metric(call: ast.Call) -> Iterator[Metric]:
    match call.func, call.args[:2]:
        case ast.Name(id=function), [ast.Constant(value=str(name)), ast.Constant(value=str(text))]:
            for kind in ("counter", "gauge", "histogram"):
                if kind in function.lower():
                    yield Metric(f"{name}_total" if kind == "counter" else name, kind, tuple(_labels(call)), text)


def _labels(call: ast.Call) -> list[str]:
    lists = [keyword.value for keyword in call.keywords if keyword.arg == "labels"]
    return [str(ast.literal_eval(label)) for found in lists if isinstance(found, ast.List) for label in found.elts]


def metrics_page() -> str:
    """Return the page."""
    rows = [[code(each.name), each.type, ", ".join(map(code, each.labels)), each.help] for each in served_metrics()]
    return _INTRODUCTION + table(["metric", "type", "labels", "meaning"], rows)


_INTRODUCTION = """# Metrics

This page is generated from the modules of `dataflows/observability` and `tacit_service` that serve metrics.

A run serves `/metrics` in the format of Prometheus for each process, and `/livez` and `/readyz` for the run.
The first process has 127.0.0.1:9464, each further one the next port; `--metrics` names another address.
[The guide for operators](../guides/operator.md#monitor) lists the reasons for which a run is not ready.
No metric and no label identifies a user.
The figures of Prometheus' own client about the process (`process_*`, `python_info`) are served, too.
`tacit serve` has `tacit_http_*` and `tacit_reads_total` at its own `/metrics`.
`tacit parity --metrics-file FILE` writes `tacit_parity_*` to a file for the textfile collector of node_exporter.

"""
