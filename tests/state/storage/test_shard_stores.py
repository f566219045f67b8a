"""Shard stores: each shard is opened once, checked, and released at the end."""

import gc
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from state.errors import StateError, StorageError
from state.storage.manifest import Token
from state.storage.shard_store import ShardStore
from state.storage.shards import shard_of
from tests.support.shard_stores import USERS, checkpoints, contents, open_stores, pseudonyms, touch

HOLDER = """
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tests.support.shard_stores import USERS, open_stores
with open_stores(Path(sys.argv[1])) as stores:
    stores.create(USERS[0])
    print("held", flush=True)
    sys.stdin.read()
"""


def _descriptors() -> set[Path]:
    """Return the open files of this process."""
    gc.collect()
    return {one.readlink() for one in Path("/proc/self/fd").iterdir() if one.is_symlink()}


def _filled(folder: Path) -> bytes:
    """Return the token of a shard with users."""
    with open_stores(folder) as stores:
        store = stores.create(USERS[0])
        touch(store, USERS)
        return store.snapshot()


def test_user_is_in_the_shard_of_the_pseudonym(tmp_path: Path) -> None:
    """Each shard has a folder and a token with the number of the shard."""
    users = pseudonyms(40)
    with open_stores(tmp_path, shards=4) as stores:
        first = {shard_of(user, 4): user for user in users}
        shards = {shard: stores.create(user) for shard, user in first.items()}
        for shard, store in shards.items():
            touch(store, [user for user in users if shard_of(user, 4) == shard])
        tokens = {shard: Token.unpack(store.snapshot()) for shard, store in shards.items()}
    assert {token.shard: token.shards for token in tokens.values()} == dict.fromkeys(range(4), 4)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["000", "001", "002", "003"]


def test_first_snapshot_starts_the_writes_of_all_shards(tmp_path: Path) -> None:
    """The shards write in parallel."""
    users = pseudonyms(40)
    with open_stores(tmp_path, shards=2, cached=1000) as stores:
        halves = [[user for user in users if shard_of(user, 2) == shard] for shard in range(2)]
        one, other = [stores.create(half[0]) for half in halves]
        touch(one, halves[0])
        touch(other, halves[1])
        one.snapshot()
        assert len(other._changed) == 0
        assert sorted(contents(other)) == sorted(halves[1])


def test_another_number_of_shards_is_an_error(tmp_path: Path) -> None:
    """With another number of shards, a user would be in another shard."""
    token = _filled(tmp_path)
    with (
        open_stores(tmp_path, shards=8) as stores,
        pytest.raises(StateError, match="written with 1 shards, not 8: use --shards 1"),
    ):
        stores.resume(token)


def test_shard_of_another_process_is_an_error(tmp_path: Path) -> None:
    """The kernel holds the lock, and frees it at any end of the process."""
    command = [sys.executable, "-c", HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with (
            open_stores(tmp_path) as stores,
            pytest.raises(StateError, match=r"shard 0 in .* is in use by another process: stop that one first"),
        ):
            stores.create(USERS[0])
        process.kill()
    with open_stores(tmp_path) as stores:
        assert len(stores.create(USERS[0])) == 0


def test_closed_stores_leave_no_file_open(tmp_path: Path) -> None:
    """A live run restarts in the same process after a failure."""
    _filled(tmp_path / "warm")  # opens the files of the process's lifetime
    before = _descriptors()
    token = _filled(tmp_path / "state")
    for _ in range(3):
        with open_stores(tmp_path / "state") as stores:
            store = stores.resume(token)
            touch(store, USERS)
            token = store.snapshot()
    assert _descriptors() == before


def test_stores_are_closed_after_an_error(tmp_path: Path) -> None:
    """The next execution resumes from the last token."""
    token = _filled(tmp_path)
    with suppress(ZeroDivisionError), open_stores(tmp_path) as stores:
        touch(stores.resume(token), USERS)
        raise ZeroDivisionError
    with open_stores(tmp_path) as stores:
        assert len(stores.resume(token)) == len(USERS)


def test_damaged_shard_is_released(tmp_path: Path) -> None:
    """The same process can open the repaired shard, and the failed attempt leaves no files."""
    token = _filled(tmp_path)
    table = next(checkpoints(tmp_path)[0].glob("*.sst"))
    content = table.read_bytes()
    table.write_bytes(content[:-1])
    before = _descriptors()
    with open_stores(tmp_path) as stores, pytest.raises(StateError, match="is damaged"):
        stores.resume(token)
    assert _descriptors() == before
    assert list(tmp_path.glob("*/work-*")) == []
    table.write_bytes(content)
    with open_stores(tmp_path) as stores:
        assert len(stores.resume(token)) == len(USERS)


def test_run_resumes_after_a_failure_of_the_disk(tmp_path: Path) -> None:
    """The next start in the same process resumes from the last token."""
    token, users = _filled(tmp_path), pseudonyms(1000)
    with open_stores(tmp_path) as stores:
        store = stores.resume(token)
        with (
            _no_file_above(100_000),
            pytest.raises(StorageError, match="File too large; free space or repair the disk: committed"),
        ):
            _touch_and_save(store, users)
    with open_stores(tmp_path) as stores:
        store = stores.resume(token)
        assert sorted(contents(store)) == USERS
        _touch_and_save(store, users)


def _touch_and_save(store: ShardStore, users: list[bytes]) -> None:
    touch(store, users)
    store.snapshot()


@contextmanager
def _no_file_above(size: int) -> Iterator[None]:
    """Limit the size of files, which has the effect of a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_stores_close_without_their_working_folder(tmp_path: Path) -> None:
    """A missing working folder does not leave other shards locked."""
    users = pseudonyms(40)
    with open_stores(tmp_path, shards=2) as stores:
        for shard in range(2):
            touch(stores.create(next(user for user in users if shard_of(user, 2) == shard)), USERS[:1])
        next(tmp_path.glob("000/work-*")).rename(tmp_path / "elsewhere")
    with open_stores(tmp_path, shards=2) as stores:
        for shard in range(2):
            stores.create(next(user for user in users if shard_of(user, 2) == shard))


def test_orderly_end_confirms_the_last_tokens(tmp_path: Path) -> None:
    """No later batch confirms the commit; afterwards the shard needs its token."""
    with open_stores(tmp_path) as stores:
        store = stores.create(USERS[0])
        touch(store, USERS)
        store.snapshot()
        stores.confirm_end()
    with (
        open_stores(tmp_path) as stores,
        pytest.raises(StateError, match=r"has checkpoints in .*, but the recovery store next to it knows of none"),
    ):
        stores.create(USERS[0])
