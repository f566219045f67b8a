"""Shards of other hosts: deleted at the second sweep, and never those that this host has open."""

from pathlib import Path

from dataflows.cuts.foreign_shards import ForeignShards
from state.storage.checkpoint_folder import ShardFolder


def shards(folder: Path, *opened: int) -> list[ShardFolder]:
    """Return three shards with a checkpoint each, some of them open."""
    found = [ShardFolder(folder, number) for number in range(3)]
    for shard in found:
        if shard.path.exists() or not opened:
            shard.delete_work()
        (shard.path / "c0000000001-1f3a09bc").mkdir(parents=True, exist_ok=True)
        if shard.shard in opened:
            shard.make_work(shard.path / "work-1f3a09bc")
    return found


def left(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_shard_that_stays_closed_is_deleted(tmp_path: Path) -> None:
    """An erasure would not reach it."""
    foreign = ForeignShards()
    foreign.sweep(shards(tmp_path, 0, 2))
    assert left(tmp_path) == ["000", "001", "002"]
    foreign.sweep(shards(tmp_path, 0, 2))
    assert left(tmp_path) == ["000", "002"]


def test_shard_that_was_open_stays(tmp_path: Path) -> None:
    """At the end of a run, the processes close their shards before the uploads end."""
    foreign = ForeignShards()
    foreign.sweep(shards(tmp_path, 0, 1, 2))
    foreign.sweep(shards(tmp_path, 2))
    assert left(tmp_path) == ["000", "001", "002"]
