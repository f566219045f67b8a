"""Benchmark of the peers: the same signals from each."""

import pytest
from rich.console import Console

from benchmarks.contenders import Results
from benchmarks.peers.__main__ import BYTEWAX, compare

SIGNALS = {"signals:ada": "{}"}


def test_peers_with_the_same_signals_are_named() -> None:
    """Tacit leaves none of the job's signals."""
    console = Console(width=120)
    with console.capture() as printed:
        compare(Results({}, {BYTEWAX: SIGNALS, "Pathway": SIGNALS, "Tacit": {}}), console)
    assert printed.get().strip() == "1 signals, the same ones of Bytewax, Pathway"


def test_other_signals_are_an_error() -> None:
    """A peer with other numbers does another job."""
    with pytest.raises(SystemExit, match="Pathway"):
        compare(Results({}, {BYTEWAX: SIGNALS, "Pathway": {"signals:ada": "[]"}}), Console())
