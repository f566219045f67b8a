"""Places of a search: the cuts of the settings' namespace are one of them."""

import os
from pathlib import Path

import pytest

from connectors.traces.needles import needles_of
from dataflows.control.search import places_of
from dataflows.cuts.bucket import open_bucket
from dataflows.settings import Settings
from tacit.errors import ConfigurationError

NEEDLES = needles_of("ada.lovelace", b"0123456789abcdef")


def test_cuts_of_the_namespace_are_searched(tmp_path: Path) -> None:
    settings = Settings(embedded=True, checkpoints=f"file://{tmp_path}", namespace="live")
    open_bucket(settings).store.put("tables/000/run/000009.sst", b"y" + NEEDLES.user)
    other = Settings(embedded=True, checkpoints=f"file://{tmp_path}", namespace="shadow")
    found = {}
    for each in (settings, other):
        redis, cuts = places_of(each, [])
        assert (redis.sort, cuts.sort) == ("redis", "cuts")
        found[cuts.name] = cuts.count(NEEDLES)
    assert found == {f"file://{tmp_path}/eu/live": {"pseudonym": 1}, f"file://{tmp_path}/eu/shadow": {}}


def test_cuts_are_read_once_for_two_searches_of_a_user(tmp_path: Path) -> None:
    """A verified forget searches before and after; the second search of another user reads all."""
    settings = Settings(embedded=True, checkpoints=f"file://{tmp_path}")
    key, other = "tables/000/run/000009.sst", needles_of("grace.hopper", b"0123456789abcdef")
    open_bucket(settings).store.put(key, NEEDLES.user)
    _, cuts = places_of(settings, [])
    assert cuts.count(NEEDLES) == {"pseudonym": 1}
    path = tmp_path / "eu/live" / key
    status = path.stat()
    path.write_bytes(other.user)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cuts.count(NEEDLES) == {"pseudonym": 1}
    assert cuts.count(other) == {"pseudonym": 1}


def test_without_object_storage_there_are_no_cuts_to_search() -> None:
    assert [place.sort for place in places_of(Settings(embedded=True), [])] == ["redis"]


def test_missing_place_is_wrong_usage(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"look: .*missing does not exist; correct the path"):
        places_of(Settings(embedded=True), [str(tmp_path / "missing")])
