"""Reading of a cut without a run: its small files in a temporary folder, and tables of shards on request."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from dataflows.cuts.bucket import Bucket
from dataflows.cuts.cut import Cut
from dataflows.cuts.fetch import ShardFetch, fetch
from dataflows.state_folder import SHARDS
from state.errors import StateError
from state.storage.checkpoint_folder import ShardFolder
from state.temporary import temporary_folder


class FetchedCut:
    """Cut in a folder of its own.

    Args:
        bucket: cuts of the namespace.
        cut: the cut.
        folder: folder with all files of the cut but tables.
    """

    def __init__(self, bucket: Bucket, cut: Cut, folder: Path) -> None:
        self.cut = cut
        self.folder = folder
        self._complete = ShardFetch(bucket, folder)

    def complete(self, shards: Iterable[int] | None = None) -> None:
        """Fetch and verify the tables of some shards; None: of all.

        Raises:
            StateError: a checkpoint is damaged.
            StorageError: the disk is full or fails.
            TacitError: the errors of `ObjectStore`.
        """
        for shard in map(int, self.cut.shards) if shards is None else shards:
            if found := self.cut.shards.get(str(shard)):
                self._complete(found.checkpoint)
                ShardFolder(self.folder / SHARDS, shard).verify(found.checkpoint)


@contextmanager
def fetched(bucket: Bucket, savepoint: str | None) -> Iterator[FetchedCut]:
    """Fetch the newest cut, or a savepoint, into a folder that goes with the context.

    Errors about the folder name the cut in its place.

    Raises:
        ConfigurationError: the name is none of a savepoint.
        StateError: there is no such cut, or it is damaged.
        StorageError: the disk is full or fails.
        TacitError: the errors of `ObjectStore`.
    """
    cut = bucket.savepoint(savepoint) if savepoint else bucket.newest()
    if cut is None:
        raise StateError(f"{bucket.url} has no cut yet: start tacit run with --checkpoints first")
    with fetched_cut(bucket, cut) as found:
        yield found


@contextmanager
def fetched_cut(bucket: Bucket, cut: Cut, work: Path | None = None) -> Iterator[FetchedCut]:
    """Fetch a cut into a folder below `work` that goes with the context; errors as `fetched`."""
    with temporary_folder("tacit-cut-", work) as temporary:
        folder = temporary / "state"
        try:
            fetch(bucket, cut, folder)
            yield FetchedCut(bucket, cut, folder)
        except StateError as error:
            if (text := str(error)) != (named := text.replace(str(folder), f"{bucket.url} (cut {cut.text})")):
                raise StateError(named) from error
            raise
