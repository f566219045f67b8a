"""Manifest of a cut: order, sizes, and errors for bytes that are no manifest."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.cuts.bucket import cut_key
from dataflows.cuts.cut import FORMAT, Cut
from state.errors import StateError
from tests.support.cuts import plain_cut

CUT = plain_cut(42, ["tables/000/run/a.sst", "tables/000/run/b.sst"], fence=7)
positions = st.tuples(st.integers(1, 999_999), st.integers(1, 9_999_999_999))


def test_manifest_survives_its_encoding() -> None:
    assert Cut.decode(CUT.encode(), "there") == CUT


def test_cut_names_all_of_its_objects() -> None:
    assert [file.key for file in CUT.files] == ["archives/7-42", "tables/000/run/a.sst", "tables/000/run/b.sst"]
    assert CUT.size == 3


@given(positions, positions)
def test_keys_sort_like_cuts(one: tuple[int, int], other: tuple[int, int]) -> None:
    """A cut of a later cluster is newer, also with a lower number."""
    first, second = (plain_cut(number, fence=fence) for fence, number in (one, other))
    assert (cut_key(first) < cut_key(second)) == (first.position < second.position)


@given(st.integers(0, len(CUT.encode()) - 1))
def test_truncated_manifest_is_an_error(length: int) -> None:
    with pytest.raises(StateError, match=r"^the manifest there is damaged: .*; drop it, so that the cut before it "):
        Cut.decode(CUT.encode()[:length], "there")


@pytest.mark.parametrize("data", [b"\xff\xfe", b"[]", b"{}", b'{"number": "one"}'])
def test_other_bytes_are_an_error(data: bytes) -> None:
    with pytest.raises(StateError, match=r"^the manifest there is damaged: "):
        Cut.decode(data, "there")


def test_manifest_of_a_later_version_is_an_error() -> None:
    later = msgspec.json.encode(msgspec.structs.replace(CUT, format=FORMAT + 1))
    with pytest.raises(StateError, match=f"has format {FORMAT + 1}, and this version reads up to {FORMAT}: use the"):
        Cut.decode(later, "there")


@pytest.mark.parametrize("token", ["", "zz", "00", CUT.shards["0"].token[:-2]])
def test_damaged_token_is_an_error(token: str) -> None:
    shards = {"0": msgspec.structs.replace(CUT.shards["0"], token=token)}
    with pytest.raises(StateError, match=r"^the manifest there is damaged: "):
        Cut.decode(msgspec.json.encode(msgspec.structs.replace(CUT, shards=shards)), "there")


@pytest.mark.parametrize("shard", ["", "one", "-1", "1"])
def test_shard_that_is_not_that_of_its_token_is_an_error(shard: str) -> None:
    data = msgspec.json.encode(msgspec.structs.replace(CUT, shards={shard: CUT.shards["0"]}))
    with pytest.raises(StateError, match=r"^the manifest there is damaged: "):
        Cut.decode(data, "there")


@pytest.mark.parametrize("key", ["../a.sst", "/etc/passwd", "a//b", ""])
def test_key_outside_of_the_store_is_an_error(key: str) -> None:
    """Keys of a manifest become requests, and deletions."""
    archives = [msgspec.structs.replace(CUT.archives[0], key=key)]
    with pytest.raises(StateError, match=r"^the manifest there is damaged: "):
        Cut.decode(msgspec.json.encode(msgspec.structs.replace(CUT, archives=archives)), "there")


@pytest.mark.parametrize("name", ["../a.sst", "a/b.sst", "CURRENT"])
def test_table_name_outside_of_its_folder_is_an_error(name: str) -> None:
    """Names of tables become files of the state folder."""
    tables = {name: next(iter(CUT.shards["0"].tables.values()))}
    shards = {"0": msgspec.structs.replace(CUT.shards["0"], tables=tables)}
    with pytest.raises(StateError, match=r"^the manifest there is damaged: "):
        Cut.decode(msgspec.json.encode(msgspec.structs.replace(CUT, shards=shards)), "there")
