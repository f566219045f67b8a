"""Table of costs: multiples of a River step and of the Bytewax job."""

from pathlib import Path

from rich.console import Console

from benchmarks.contenders import Cost
from benchmarks.cost_table import cost_table
from benchmarks.streams import Sources, Stream

STREAM = Stream("a stream", Sources("short", "whole"), 10, 100, Path("catalogue.toml"))
COSTS = {"job": Cost(4.0, 2000.0, 1.25, 20.0), "other": Cost(10.0, 1000.0, 1.5, 20.0)}


def test_costs_are_multiples_of_the_river_step_and_of_the_base() -> None:
    """A row has µs, both ratios, the rate and the start."""
    console = Console(width=120)
    with console.capture() as printed:
        console.print(cost_table(STREAM, COSTS, "job"))
    title, _, river, job, other = printed.get().splitlines()
    assert title.strip() == "a stream: 100 events, of which 90 are measured"
    assert river.split()[-3:] == ["20.0", "1.0", "0.25"]
    assert job.split() == ["job", "80.0", "4.0", "1.00", "2,000", "1.2"]
    assert other.split() == ["other", "200.0", "10.0", "2.50", "1,000", "1.5"]
