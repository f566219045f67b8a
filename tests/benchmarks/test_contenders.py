"""Contenders: their runs, their results by name, and a bare River step."""

import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks.contenders import Contender, measure_all, river_step_us, tacit_name, try_out
from benchmarks.process_tree import CommandFailedError
from benchmarks.streams import Sources, Stream, peers_stream

WRITES = (
    "import sys, redis; redis.Redis.from_url(sys.argv[2]).set('signals:user', open(sys.argv[1]).read().count('\\n'))"
)


@pytest.fixture
def stream(tmp_path: Path) -> Stream:
    return peers_stream(tmp_path, 200)


def _contender(name: str, code: str, sources: Sources | None = None) -> Contender:
    def command(source: str, url: str, _folder: Path) -> Sequence[str]:
        return (sys.executable, "-c", code, source, url)

    return Contender(name, command, sources)


def test_signals_are_those_of_the_whole_stream(stream: Stream, tmp_path: Path) -> None:
    """Each run has an empty Redis; the last one is the run on the whole stream."""
    results = measure_all([_contender("counts", WRITES)], stream, tmp_path, rounds=2)
    assert results.signals == {"counts": {"signals:user": str(stream.events)}}
    assert results.costs.keys() == {"counts"}


def test_other_sources_replace_the_files(stream: Stream, tmp_path: Path) -> None:
    """A contender that reads topics gets their addresses."""
    swapped = Sources(stream.files.whole, stream.files.short)
    results = measure_all([_contender("counts", WRITES, swapped)], stream, tmp_path, rounds=1)
    assert results.signals == {"counts": {"signals:user": str(stream.short_events)}}


def test_contender_that_fails_is_an_error(stream: Stream, tmp_path: Path) -> None:
    """The error has the output of the command."""
    with pytest.raises(CommandFailedError, match="no engine"):
        try_out(_contender("fails", "raise SystemExit('no engine')"), stream, tmp_path)


def test_bare_river_step_takes_cpu(stream: Stream) -> None:
    """It is the unit of all costs."""
    assert river_step_us(Path(stream.files.whole)) > 0


def test_names_of_tacit_differ() -> None:
    """Results are by name."""
    names = {tacit_name(population, n, from_kafka=k) for population in "ab" for n in (1, 2) for k in (True, False)}
    assert len(names) == 8
