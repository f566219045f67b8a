"""Shards in the folder of a host that another one has since a change of the hosts, and erases in its folder only."""

import shutil
from collections.abc import Iterable

from state.storage.checkpoint_folder import ShardFolder
from state.storage.rocksdb import storage_error


class ForeignShards:
    """Deletes the shards of a host's folder that the host does not have open.

    The engine opens all shards of a host before its first commit. So a shard that was closed at a sweep is another
    host's if the run committed again since: the processes of this host had not ended at the sweep.
    """

    def __init__(self) -> None:
        self._closed: frozenset[int] = frozenset()
        """Shards that were closed at the last sweep."""

    def sweep(self, shards: Iterable[ShardFolder]) -> None:
        """Delete the shards that were closed at the last sweep and are now; a commit of this run lies between the two.

        Raises:
            StorageError: the disk fails.
        """
        closed = {shard.shard: shard for shard in shards if not shard.is_open}
        for number in self._closed & closed.keys():
            path = closed.pop(number).path
            try:
                shutil.rmtree(path)
            except OSError as error:
                raise storage_error(str(path), error.strerror or str(error)) from error
        self._closed = frozenset(closed)
