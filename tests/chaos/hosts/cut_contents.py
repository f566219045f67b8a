"""Contents of cuts in object storage, fetched as a host without a folder fetches them."""

from collections.abc import Iterator
from pathlib import Path

from dataflows.cuts.bucket import Bucket
from dataflows.cuts.cut import Cut
from dataflows.cuts.fetch import ShardFetch, fetch
from dataflows.state_folder import SHARDS
from state.storage.checkpoint_folder import ShardFolder
from tests.chaos.state_contents import Held, users_in


class CutContents:
    """Cuts of a run, fetched into folders of their own; a folder keeps the tables that its next cut has, too."""

    def __init__(self, bucket: Bucket, folder: Path) -> None:
        self._bucket = bucket
        self._folder = folder

    def users(self, into: str) -> dict[str, Held]:
        """Return the users in the newest cut by pseudonym; none before the first one."""
        cut = self._bucket.newest()
        return users_in(self._fetched(cut, into)) if cut else {}

    def folders(self) -> Iterator[Path]:
        """Yield a state folder with the files of each complete cut."""
        for cut in self._bucket.all_cuts():
            yield self._fetched(cut, f"cut-{cut.text}")

    def _fetched(self, cut: Cut, into: str) -> Path:
        folder = self._folder / into
        fetch(self._bucket, cut, folder)
        complete = ShardFetch(self._bucket, folder)
        for shard in cut.shards.values():
            token = shard.checkpoint
            complete(token)
            kept = ShardFolder(folder / SHARDS, token.shard)
            kept.verify(token)
            kept.delete(name for name in kept.names() if name != token.name)
        return folder
