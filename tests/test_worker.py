"""One process: what ends it is said by whoever met it, in one line, and a damaged store is called one."""

import shutil
from pathlib import Path

import pytest

from state.catalogue import SHIPPED
from tests.replaying import redis_of_its_own, replay, write_history
from tests.running import everything_in, tacit

PARTS = 4


@pytest.fixture(scope="module")
def used(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a history and the state that a replay of it left."""
    folder = tmp_path_factory.mktemp("used")
    write_history(folder / "events.jsonl")
    with redis_of_its_own() as (url, _):
        replay(url, "events.jsonl", "--state", "state", cwd=folder)
    return folder


@pytest.fixture
def folder(used: Path, tmp_path: Path) -> Path:
    """Return a copy that a test may damage."""
    return shutil.copytree(used, tmp_path / "copy")


def _refused(folder: Path, *words: str) -> str:
    """Replay, and return the one line of why that was not possible; nothing must have been written."""
    with redis_of_its_own() as (url, client):
        done = tacit(
            "replay", "events.jsonl", "--state", "state", "--redis", url, *words, cwd=folder, RUST_BACKTRACE="1"
        )
        assert everything_in(client) == {}
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.mark.parametrize("missing", [1, PARTS])
def test_store_with_parts_missing_is_damaged(missing: int, folder: Path) -> None:
    """Some or all."""
    for number in range(missing):
        (folder / "state" / "recovery" / f"part-{number}.sqlite3").unlink()
    line = _refused(folder)
    assert line.startswith("tacit: state/recovery is damaged: ")
    assert line.endswith("restore the state folder from a backup, or give another\n")


@pytest.mark.parametrize("content", [b"", b"garbage" * 1000])
def test_store_that_is_no_database_is_damaged(content: bytes, folder: Path) -> None:
    """Emptied or overwritten, in one part or in all."""
    for number in range(PARTS):
        (folder / "state" / "recovery" / f"part-{number}.sqlite3").write_bytes(content)
    assert _refused(folder).startswith("tacit: state/recovery is damaged: ")


def test_store_that_was_cut_short_is_damaged(folder: Path) -> None:
    """As a full disk or a bad copy leaves it."""
    part = folder / "state" / "recovery" / "part-0.sqlite3"
    part.write_bytes(part.read_bytes()[:3000])
    assert _refused(folder).startswith("tacit: state/recovery is damaged: ")


def test_state_of_another_vocabulary_is_refused(folder: Path) -> None:
    """Places in packed state follow the catalogue, so beliefs would silently be about something else."""
    (folder / "other.toml").write_text(SHIPPED.read_text().replace('"chat"', '"talk"'))
    with (folder / "events.jsonl").open("ab") as file:
        file.write(b"{}\n")
    assert "the state was written under a catalogue with other facets" in _refused(folder, "--catalogue", "other.toml")


def test_state_of_another_secret_is_refused(folder: Path) -> None:
    """Everybody in it would be a stranger."""
    with redis_of_its_own() as (url, _):
        words = ("replay", "events.jsonl", "--state", "state", "--redis", url)
        done = tacit(*words, cwd=folder, TACIT_SECRET="another-secret-of-someone-else")
    assert done.returncode == 1
    assert "was made for secret " in done.stderr
