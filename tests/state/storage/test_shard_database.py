"""Shard database: checkpoints and the engine's commits, with a crash at each step."""

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from pathlib import Path
from typing import ParamSpec, TypeVar

import pytest

from state.errors import StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import Token
from state.storage.rocksdb import RocksDatabase
from state.storage.shard_database import FLUSH_BYTES, ShardDatabase
from tests.support.shard_stores import checkpoints

P = ParamSpec("P")
T = TypeVar("T")

ROCKS = RocksDatabase(1)


class ImmediateExecutor(Executor):
    """Executor that runs each function at once."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call the function."""
        done: Future[T] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


AT_ONCE = ImmediateExecutor()


@contextmanager
def opened(folder: Path, execution: str, token: bytes | None = None) -> Iterator[ShardDatabase]:
    """Open the one shard of the folder; the end loses all writes after the last checkpoint, like a crash."""
    disk = ShardDatabase(
        ROCKS, ShardFolder(folder, 0), 1, execution, Token.unpack(token) if token else None, AT_ONCE, AT_ONCE
    )
    try:
        yield disk
    finally:
        disk.close()


def write(disk: ShardDatabase, *names: bytes) -> None:
    disk.write((name, name * 3) for name in names)


def names(disk: ShardDatabase) -> list[bytes]:
    return [name for name, _ in disk.scan(b"", 1000)]


def kept(folder: Path) -> list[str]:
    """Return number and execution of each checkpoint."""
    return [path.name.lstrip("c0") for path in checkpoints(folder)]


def test_written_bytes_are_read_back(tmp_path: Path) -> None:
    """The order is that of the keys, before and after a checkpoint, in this execution and the next."""
    with opened(tmp_path, "one") as disk:
        write(disk, b"b", b"a", b"c")
        disk.delete([b"c"])
        token = disk.checkpoint(2)
        assert (disk.get(b"a"), disk.get(b"c"), disk.get(b"d")) == (b"aaa", None, None)
    with opened(tmp_path, "two", token) as disk:
        assert disk.users == 2
        assert disk.scan(b"", 10) == [(b"a", b"aaa"), (b"b", b"bbb")]
        assert disk.scan(b"a", 10) == [(b"b", b"bbb")]
        assert disk.scan(b"", 1) == [(b"a", b"aaa")]


def test_many_writes_go_to_a_table_before_the_checkpoint(tmp_path: Path) -> None:
    """The checkpoint then takes less time, and is complete."""
    with opened(tmp_path, "one") as disk:
        for number in range(4):
            disk.write([(b"%d" % number, bytes(FLUSH_BYTES // 2))])
        token = disk.checkpoint(4)
    with opened(tmp_path, "two", token) as disk:
        assert names(disk) == [b"0", b"1", b"2", b"3"]


# Commits


def test_at_most_two_checkpoints_stay_after_a_commit(tmp_path: Path) -> None:
    """The newest checkpoint stays, and the committed one before it."""
    with opened(tmp_path, "one") as disk:
        for number in range(1, 6):
            write(disk, b"%d" % number)
            disk.checkpoint(number)
            assert len(kept(tmp_path)) <= 3
            assert disk.confirm_commit()
            assert kept(tmp_path) == [f"{n}-one" for n in range(max(1, number - 1), number + 1)]


def test_first_batch_after_a_checkpoint_confirms_the_commit(tmp_path: Path) -> None:
    """Without a new checkpoint there is no commit to confirm."""
    with opened(tmp_path, "one") as disk:
        assert not disk.confirm_commit()
        write(disk, b"a")
        assert not disk.confirm_commit()
        token = disk.checkpoint(1)
        assert [disk.confirm_commit(), disk.confirm_commit()] == [True, False]
        disk.checkpoint(1)
        assert not disk.confirm_commit()
    with opened(tmp_path, "two", token) as disk:
        assert not disk.confirm_commit()


def test_unconfirmed_checkpoints_stay(tmp_path: Path) -> None:
    """The engine may hold the token of any of them."""
    with opened(tmp_path, "one") as disk:
        tokens = []
        for number in range(3):
            write(disk, b"%d" % number)
            tokens.append(disk.checkpoint(number + 1))
    for execution, token in enumerate(tokens):
        with opened(tmp_path, f"again{execution}", token) as disk:
            assert len(names(disk)) == execution + 1


# Crashes


def test_uncommitted_checkpoint_is_skipped(tmp_path: Path) -> None:
    """The older checkpoint is resumed, no number is used twice, and the next commit deletes the leftover."""
    with opened(tmp_path, "one") as disk:
        write(disk, b"a")
        committed = disk.checkpoint(1)
        disk.confirm_commit()
        write(disk, b"b")
        disk.checkpoint(2)
    with opened(tmp_path, "two", committed) as disk:
        assert (names(disk), disk.users) == ([b"a"], 1)
        write(disk, b"c")
        token = disk.checkpoint(2)
        assert kept(tmp_path) == ["1-one", "2-one", "3-two"]
        disk.confirm_commit()
        assert kept(tmp_path) == ["1-one", "3-two"]
    with opened(tmp_path, "three", token) as disk:
        assert names(disk) == [b"a", b"c"]


def test_shard_without_a_committed_token_starts_empty(tmp_path: Path) -> None:
    """The source starts from the beginning, too, and no number is used twice."""
    with opened(tmp_path, "one") as disk:
        write(disk, b"a")
        disk.checkpoint(1)
    with opened(tmp_path, "two") as disk:
        assert (names(disk), disk.users) == ([], 0)
        write(disk, b"b")
        disk.checkpoint(1)
        assert kept(tmp_path) == ["1-one", "2-two"]
        disk.confirm_commit()
        assert kept(tmp_path) == ["2-two"]


def test_shard_with_a_committed_checkpoint_does_not_start_empty(tmp_path: Path) -> None:
    """A missing token after a commit is an error: the recovery store was lost."""
    with opened(tmp_path, "one") as disk:
        write(disk, b"a")
        disk.checkpoint(1)
        disk.confirm_commit()
    with pytest.raises(StateError) as caught, opened(tmp_path, "two"):
        pass
    assert str(caught.value) == (
        f"shard 0 has checkpoints in {tmp_path / '000'}, but the recovery store next to it knows of none: "
        "restore the whole state folder from one backup, or name another folder"
    )


def test_work_of_ended_executions_is_removed(tmp_path: Path) -> None:
    """The execution may have closed the shard or crashed."""
    with opened(tmp_path, "one") as disk:
        write(disk, b"a")
        token = disk.checkpoint(1)
        assert [path.name for path in (tmp_path / "000").glob("work-*")] == ["work-one"]
    assert list(tmp_path.glob("000/work-*")) == []
    for name in ("work-killed1", "work-killed2"):
        (tmp_path / "000" / name).mkdir()
        (tmp_path / "000" / name / "000009.sst").write_bytes(b"half")
    with opened(tmp_path, "two", token):
        assert [path.name for path in (tmp_path / "000").glob("work-*")] == ["work-two"]


def test_writes_after_a_checkpoint_are_lost_with_the_execution(tmp_path: Path) -> None:
    """The source repeats the events."""
    with opened(tmp_path, "one") as disk:
        write(disk, b"a")
        token = disk.checkpoint(1)
        write(disk, b"b")
        disk.delete([b"a"])
    with opened(tmp_path, "two", token) as disk:
        assert names(disk) == [b"a"]


def test_writes_do_not_change_the_resumed_checkpoint(tmp_path: Path) -> None:
    """Tables are shared and never change, so the checkpoint can be resumed again."""
    with opened(tmp_path, "one") as disk:
        for number in range(50):
            write(disk, b"%d" % number)
        token = disk.checkpoint(50)
    checkpoint = checkpoints(tmp_path)[0]
    before = {path.name: path.read_bytes() for path in checkpoint.iterdir()}
    for execution in ("two", "three"):
        with opened(tmp_path, execution, token) as disk:
            disk.delete(names(disk))
            disk.checkpoint(0)
    assert {path.name: path.read_bytes() for path in checkpoint.iterdir()} == before
