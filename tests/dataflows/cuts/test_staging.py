"""Staging: copies and links that a running folder does not change, and databases that fit together."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from bytewax.recovery import init_db_dir

from dataflows.cuts.staging import InconsistentCopiesError, committed_tokens, local_shards, stage
from dataflows.recovery_store import copy_store, newest_commit
from dataflows.rotation.tokens import read_tokens, replace_tokens
from dataflows.state_folder import RECOVERY, ROOT_FILES, SHARDS
from state.errors import StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import Token
from tests.support.cuts import users_of
from tests.support.folder_listing import everything_below

EVERYTHING = range(16)
DATABASES = 4


def test_staged_files_are_those_of_the_folder(state: Path) -> None:
    staged = stage(state, EVERYTHING)
    names = {name for name in ROOT_FILES if (state / name).exists()}
    assert {path.name for path in staged.path.iterdir()} == names | {RECOVERY, SHARDS}
    assert set(staged.checkpoints) == set(read_tokens(state / RECOVERY).values())
    for token in staged.checkpoints:
        ShardFolder(staged.path / SHARDS, token.shard).verify(token)


def test_only_the_shards_of_this_host_are_staged(state: Path) -> None:
    mine = local_shards(state / SHARDS)[0].shard
    assert {token.shard for token in stage(state, {mine}).checkpoints} == {mine}


def test_staged_checkpoints_outlive_those_of_the_folder(state: Path) -> None:
    """A run deletes old checkpoints during an upload."""
    before = users_of(state)
    staged = stage(state, EVERYTHING)
    shutil.rmtree(state / SHARDS)
    assert users_of(staged.path) == before


def test_incomplete_checkpoint_is_left_out(state: Path) -> None:
    """One is being made, or deleted, or fetched."""
    first, *others = local_shards(state / SHARDS)
    (first.path / first.names()[0] / "SEAL").unlink()
    second = others[0]
    next((second.path / second.names()[0]).glob("*.sst")).unlink()
    staged = stage(state, EVERYTHING)
    assert {token.shard for token in staged.checkpoints} == {folder.shard for folder in others[1:]}
    assert not list((staged.path / SHARDS).glob(f"00[{first.shard}{second.shard}]/c*"))


def test_staging_replaces_an_earlier_one_and_changes_nothing_else(state: Path) -> None:
    def others() -> dict[str, tuple[int, int]]:
        found = everything_below(state)
        return {path: it for path, it in found.items() if "/cut" not in path and "sqlite3-" not in path}

    stage(state, EVERYTHING)
    (state / "cut" / "left").touch()
    before = others()
    stage(state, EVERYTHING)
    assert not (state / "cut" / "left").exists()
    changed = {path for path in others() if others()[path] != before.get(path)}
    assert all(Path(path).is_dir() or Path(path).is_relative_to(state / RECOVERY) for path in changed)


def test_other_checkpoints_than_those_of_tokens_are_deleted(state: Path) -> None:
    staged = stage(state, EVERYTHING)
    kept = next(iter(staged.checkpoints))
    only = staged.only([kept])
    assert list(only.checkpoints) == [kept]
    assert [path.parent.name for path in (staged.path / SHARDS).glob("*/c*")] == [f"{kept.shard:03d}"]


def test_tokens_are_read_from_copies_without_a_change_to_them(state: Path) -> None:
    staged = stage(state, EVERYTHING)
    before = everything_below(staged.path)
    assert committed_tokens(staged.path / RECOVERY) == read_tokens(state / RECOVERY)
    assert everything_below(staged.path) == before


@pytest.fixture
def copies(tmp_path: Path) -> list[Path]:
    """Return copies of a store after two commits of all tokens."""
    (store := tmp_path / "store").mkdir()
    init_db_dir(store, DATABASES)
    for number in (1, 2):
        replace_tokens(store, {shard: token.pack() for shard, token in tokens(number).items()})
        copy_store(store, tmp_path / f"copy{number}")
    return [tmp_path / "copy1", tmp_path / "copy2"]


def tokens(number: int) -> dict[int, Token]:
    return {shard: Token(shard, len(EVERYTHING), number, "1f3a09bc", 0) for shard in EVERYTHING}


def test_copies_of_one_moment_have_its_tokens(copies: list[Path]) -> None:
    assert [committed_tokens(copy) for copy in copies] == [tokens(1), tokens(2)]
    assert newest_commit(copies[0]) < newest_commit(copies[1])


@pytest.mark.parametrize("number", range(DATABASES))
def test_database_of_another_moment_is_found(number: int, copies: list[Path]) -> None:
    """Bytewax resumes from some of these without an error, and with positions and tokens of different moments."""
    name = f"part-{number}.sqlite3"
    before, after = copies
    for copy, other in ((before, after), (after, before)):
        shutil.copytree(copy, mixed := copy.with_name("mixed"))
        shutil.copy(other / name, mixed / name)
        with pytest.raises(InconsistentCopiesError, match=r"the copies of .*mixed are of different moments"):
            committed_tokens(mixed)
        shutil.rmtree(mixed)


def test_damaged_database_is_an_error(state: Path) -> None:
    (state / RECOVERY / "part-2.sqlite3").write_bytes(b"no database, but text" * 100)
    with pytest.raises(StateError, match=r"recovery is damaged: part-2.sqlite3: .*; restore the whole state folder"):
        stage(state, EVERYTHING)


def test_missing_database_does_not_fit(state: Path) -> None:
    (state / RECOVERY / "part-2.sqlite3").unlink()
    staged = stage(state, EVERYTHING)
    with pytest.raises(InconsistentCopiesError):
        committed_tokens(staged.path / RECOVERY)


def test_database_is_copied_while_another_process_writes_it(state: Path) -> None:
    """A transaction that is open during the copy is not in it."""
    with closing(sqlite3.connect(state / RECOVERY / "part-0.sqlite3")) as database:
        database.execute("BEGIN IMMEDIATE")
        database.execute("CREATE TABLE begun (at INTEGER)")
        staged = stage(state, EVERYTHING)
    with closing(sqlite3.connect(staged.path / RECOVERY / "part-0.sqlite3")) as copy:
        names = copy.execute("SELECT name FROM sqlite_master WHERE name = 'begun'").fetchall()
    assert names == []
    assert set(committed_tokens(staged.path / RECOVERY).values()) == set(staged.checkpoints)


def test_tokens_of_a_folder_without_users_are_none(tmp_path: Path) -> None:
    (tmp_path / RECOVERY).mkdir()
    init_db_dir(tmp_path / RECOVERY, 4)
    assert committed_tokens(tmp_path / RECOVERY) == {}


def test_token_has_the_number_of_its_checkpoint(state: Path) -> None:
    for token, manifest in stage(state, EVERYTHING).checkpoints.items():
        assert (token.number, token.execution) == (manifest.number, manifest.execution)
