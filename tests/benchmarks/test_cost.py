"""Benchmark of cost: its rows and figures, for a tiny stream."""

import json

import pytest

from benchmarks import cost
from benchmarks.contenders import Cost, tacit_name
from benchmarks.cost import BYTEWAX, main


def test_command_measures_tacit_and_bytewax(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Figures of a tiny stream are noise; rows and members are those of a long one."""
    monkeypatch.setattr(cost, "POPULATIONS", ["none"])
    monkeypatch.setattr("sys.argv", ["cost", "--streams", "peers", "--events=150", "--rounds=1", "--json"])
    main()
    (measured,) = json.loads(capsys.readouterr().out)["costs"].values()
    assert list(measured) == [BYTEWAX, tacit_name("none", 1), tacit_name("none", 2)]
    for figures in measured.values():
        assert figures.keys() == set(Cost._fields)
        assert figures["river_us"] > 0
        assert figures["start_cpu_s"] > 0
