"""Staging of a cut: copies and hard links of a running state folder, which no later step of the run changes.

An upload may take long, and the run deletes old checkpoints meanwhile; links keep their tables. Staged files are in
DIR/cut until the next staging.

The databases of the recovery store are copied one after the other, those of several hosts at slightly different times,
and the engine may commit in between. Copies right after the same commit have a token per shard, as Bytewax itself
reads them; other copies are made again.
"""

import shutil
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from dataflows.recovery_store import copy_store, is_consistent
from dataflows.rotation.tokens import read_tokens
from dataflows.state_folder import CUT, RECOVERY, ROOT_FILES, SHARDS
from state.errors import StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import Manifest, Token
from state.storage.rocksdb import storage_error
from state.temporary import temporary_folder

TRIES = 5
"""Copies that are made until the databases fit together."""


class InconsistentCopiesError(StateError):
    """Databases that were copied before and after a commit."""


class Staged(NamedTuple):
    """Files of a cut in a folder of their own."""

    path: Path
    checkpoints: Mapping[Token, Manifest]
    """Complete checkpoints of the folder's open shards."""

    def only(self, tokens: Collection[Token]) -> "Staged":
        """Return the files without other checkpoints than those of some tokens, which are deleted."""
        for token in self.checkpoints.keys() - set(tokens):
            shutil.rmtree(ShardFolder(self.path / SHARDS, token.shard).path / token.name)
        return Staged(self.path, {token: found for token, found in self.checkpoints.items() if token in tokens})


def local_shards(folder: Path) -> list[ShardFolder]:
    """Return the shards below a folder, also those that are another host's by now."""
    return [ShardFolder(folder, int(path.name)) for path in sorted(folder.glob("[0-9]*"))]


def stage(folder: Path, shards: Collection[int]) -> Staged:
    """Copy and link the newest state of a folder that a run may use, with the checkpoints of some shards.

    Raises:
        StateError: the recovery store or a checkpoint is damaged.
        StorageError: the disk is full or fails.
    """
    staged = folder / CUT
    try:
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir()
        copy_store(folder / RECOVERY, staged / RECOVERY)
        for name in ROOT_FILES:
            with suppress(FileNotFoundError):
                shutil.copyfile(folder / name, staged / name)
        return Staged(staged, dict(_link_checkpoints(folder / SHARDS, staged / SHARDS, shards)))
    except OSError as error:
        raise storage_error(str(staged), error.strerror or str(error)) from error


def _link_checkpoints(folder: Path, copy: Path, shards: Collection[int]) -> Iterator[tuple[Token, Manifest]]:
    """Link all complete checkpoints; one that the run deletes or fetches meanwhile is left out."""
    for source in local_shards(folder):
        target = ShardFolder(copy, source.shard)
        for name in source.names() if source.shard in shards else ():
            try:
                yield source.link(name, target)
            except FileNotFoundError:
                shutil.rmtree(target.path / name, ignore_errors=True)


def committed_tokens(recovery: Path) -> dict[int, Token]:
    """Return the token of each shard that a resume would find in copies of all databases.

    Raises:
        InconsistentCopiesError: the copies do not fit together.
        StateError: the store is damaged.
        StorageError: the disk is full or fails.
    """
    with temporary_folder("tacit-cut-") as temporary:  # a read changes the databases
        try:
            shutil.copytree(recovery, read := temporary / RECOVERY)
        except OSError as error:
            raise storage_error(str(temporary), error.strerror or "the databases cannot be copied") from error
        if not is_consistent(read):
            raise InconsistentCopiesError(
                f"the copies of {recovery} are of different moments: the next cut tries again"
            )
        try:
            return read_tokens(read)
        except (KeyboardInterrupt, SystemExit):
            raise
        except BaseException as cause:  # a panic of Bytewax is not an Exception
            text = " ".join(str(cause).split())
            raise InconsistentCopiesError(f"the copies of {recovery} do not fit together: {text}") from cause
