"""Memory of the Redis with a folder's signals: another or an older one is distinguished from the same one."""

from pathlib import Path

import pytest

from connectors.redis.ownership import Owner
from dataflows.known_redis import KNOWN_REDIS, missing_signals, note_redis

OWNER = Owner("folder", b"", 0, 1_000)
FIRST = frozenset({"first"})


def _missing(
    folder: Path, owner: Owner = OWNER, instances: frozenset[str] = FIRST, *, is_registered: bool = True
) -> str:
    return missing_signals(folder, "folder", owner, instances, is_registered=is_registered)


def test_same_redis_has_all_signals(tmp_path: Path) -> None:
    """Also after a later take, and with fewer servers of a cluster."""
    note_redis(tmp_path, FIRST | {"second"}, 1_000)
    assert not _missing(tmp_path)
    assert not _missing(tmp_path, OWNER._replace(taken_ms=2_000))


@pytest.mark.parametrize("owner", [OWNER._replace(state="other"), OWNER._replace(state=None), Owner("folder", b"", 0)])
def test_other_owner_lacks_signals(owner: Owner, tmp_path: Path) -> None:
    """The last one is of a replay after a loss: no live run has taken the namespace."""
    note_redis(tmp_path, FIRST, 1_000)
    assert _missing(tmp_path, owner)


def test_empty_or_started_redis_lacks_signals(tmp_path: Path) -> None:
    note_redis(tmp_path, FIRST, 1_000)
    assert _missing(tmp_path, is_registered=False)
    assert _missing(tmp_path, instances=frozenset({"third"}))


@pytest.mark.parametrize("content", [None, "{"])
def test_folder_without_a_readable_memory_counts_as_lost(content: str | None, tmp_path: Path) -> None:
    """It cannot show that Redis still has each "no"."""
    if content is not None:
        (tmp_path / KNOWN_REDIS).write_text(content)
    assert _missing(tmp_path)


def test_folder_that_takes_no_file_keeps_the_run_alive(tmp_path: Path) -> None:
    """The next start then restores the signals."""
    note_redis(tmp_path / "missing", FIRST, 1_000)
    assert _missing(tmp_path / "missing")
