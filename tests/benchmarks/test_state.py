"""Benchmark of large states: its costs for a small state."""

from pathlib import Path

from benchmarks.processes import in_new_process
from benchmarks.state import measure_costs


def test_costs_of_a_small_state_are_measured(tmp_path: Path) -> None:
    """Reads of cached users and of others, and saves, without a signal worded."""
    costs = in_new_process(measure_costs, tmp_path / "costs", 2000, 100)
    assert min(costs) > 0
