"""Demo: one command prints all sections, and leaves nothing."""

import signal
from pathlib import Path

import pytest

from tests.support.commands import running, tacit

SMALL = ("demo", "--users", "60", "--turns", "1500")
SECTIONS = (
    "Result of the dataflow",
    "Signals of three users, as an assistant reads them",
    "Share of correct preferred values",
    "mean chance that an answer is liked",
    "Next",
)


def _servers(folder: Path) -> list[Path]:
    """Return the processes that run on a socket in the folder."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found += [path] if str(folder).encode() in path.read_bytes() else []
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def test_demo_shows_all_and_leaves_nothing(tmp_path: Path) -> None:
    """It uses neither the settings of a deployment nor a secret."""
    state = str(tmp_path / "state")
    done = tacit(*SMALL, cwd=tmp_path, TMPDIR=str(tmp_path), TACIT_SECRET="", TACIT_REGION="us", TACIT_STATE=state)
    assert (done.returncode, done.stderr) == (0, "")
    places = [done.stdout.index(section) for section in SECTIONS]
    assert places == sorted(places)
    assert "all accounted for" in done.stdout
    assert ": known well" in done.stdout
    assert "oracle" in done.stdout
    assert "tacit serve --embedded --demo" in done.stdout.splitlines()[-2]
    assert list(tmp_path.iterdir()) == []
    assert _servers(tmp_path) == []


@pytest.mark.parametrize("moment", ["tacit-demo-*", "tacit-demo-*/rejects.jsonl"])
def test_interrupted_demo_leaves_nothing_either(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """While it simulates, and while it runs."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setenv("TMPDIR", str(place))
    with running(["demo", "--turns", "30000"], tmp_path / "log") as run:
        run.wait_for(lambda: list(place.glob(moment)), moment)
        run.process.send_signal(signal.SIGTERM)
        assert run.process.wait(20) in {1, 128 + signal.SIGTERM}
    assert "Traceback" not in run.output
    assert list(place.iterdir()) == []
    assert _servers(place) == []
