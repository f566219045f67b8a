"""Parts of hosts: one checkpoint per shard is chosen, by the token of the recovery stores."""

import msgspec
import pytest

from dataflows.cuts.bucket import archive_key
from dataflows.cuts.cut import CutShard, StoredFile
from dataflows.cuts.part import Part, Request, chosen_shards, part_key
from state.errors import StateError
from state.storage.manifest import Token

ARCHIVE = StoredFile("archives/1", 1, 0)


def token(shard: int, number: int) -> Token:
    return Token(shard, 3, number, "run1", number)


def part(*tokens: Token) -> Part:
    shards = [CutShard(one.pack().hex(), {"1.sst": StoredFile(f"tables/{one.name}", 1, 0)}) for one in tokens]
    return Part(ARCHIVE, shards, 0)


def test_checkpoint_of_each_token_is_chosen_from_all_hosts() -> None:
    """A host has earlier checkpoints, too, and those of shards that moved to another host."""
    parts = [part(token(0, 1), token(0, 2), token(1, 1)), part(token(1, 2), token(2, 1))]
    chosen = chosen_shards(parts, {0: token(0, 1), 1: token(1, 2), 2: token(2, 1)})
    assert chosen is not None
    assert {shard: found.checkpoint for shard, found in chosen.items()} == {
        "0": token(0, 1),
        "1": token(1, 2),
        "2": token(2, 1),
    }


def test_checkpoint_that_no_host_has_makes_no_cut() -> None:
    """A host still fetches it."""
    assert chosen_shards([part(token(0, 1))], {0: token(0, 1), 1: token(1, 1)}) is None


def test_checkpoint_with_another_checksum_is_another_one() -> None:
    other = token(0, 1)._replace(manifest=99)
    assert chosen_shards([part(token(0, 1))], {0: other}) is None


def test_part_survives_its_encoding() -> None:
    found = part(token(0, 1))
    assert Part.decode(msgspec.json.encode(found), "there") == found


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", msgspec.json.encode(part(token(0, 1)))[:-3]])
def test_damaged_part_is_an_error(data: bytes) -> None:
    with pytest.raises(StateError, match=r"there is damaged: .*; the next cut writes another"):
        Part.decode(data, "there")


def test_restart_uses_no_part_or_archive_of_before() -> None:
    """A number comes again after a restart; a part of before has positions of another moment."""
    before, after = (Request(7, 42, run) for run in ("1f3a09bc", "2e4b18cd"))
    assert part_key(before, 1) != part_key(after, 1)
    assert archive_key(7, 42, 1, before.run) != archive_key(7, 42, 1, after.run)


@pytest.mark.parametrize("data", [b"", b"[]", b"\xff", b'{"fence":"one"}'])
def test_damaged_request_asks_for_nothing(data: bytes) -> None:
    assert Request.decode(data) == Request(0, 0)
    assert Request.decode(msgspec.json.encode(Request(1, 2, "a", 3))) == Request(1, 2, "a", 3)
