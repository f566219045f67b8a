"""Erasure of deleted users' bytes from a shard's files.

A new state does not replace an older one in a table of RocksDB: a compaction does. Older checkpoints keep the older
tables. So the bytes of a wiped user leave the disk in these steps:

    wipe ─► compaction of the users' keys ─► checkpoint, settling 2 ─► checkpoint, settling 1 ─► its commit

A checkpoint deletes all older ones but one when it is committed, so the commit of the second one deletes the last
checkpoint from before the compaction. The manifest of each checkpoint has the users that wait, and the step; a run
resumes the erasure from there.
"""

from collections.abc import Iterable, Sequence

from state.storage.manifest import Manifest

CHECKPOINTS = 2
"""Checkpoints after the compaction."""
ERASURE_CHECKPOINTS = 5
"""Checkpoint intervals from a compaction to the deletion of the last old checkpoint: the rest of an interval, two
checkpoints, the commit of the second one, and one for delays."""
MAX_WAITING = 1000
"""Above so many users, the manifest does not list them, and all users count as waiting."""
FULL = b""
"""Stands for all users of the shard; no pseudonym is empty."""


class Erasure:
    """Users of a shard with older bytes on disk, and the steps until no file has them."""

    def __init__(self, ended: int = 0, *, is_rewritten: bool = False) -> None:
        """Begin after `ended` compactions.

        With `is_rewritten`, all tables are new, as after a compaction: checkpoints from before it may be on a disk.
        """
        self.waiting: set[bytes] = set()
        """Users without a compaction since their wipe."""
        self.compacting: set[bytes] = set()
        """Users of the compaction that runs."""
        self.settling = CHECKPOINTS if is_rewritten else 0
        """Checkpoints to make before those from before the compaction are gone."""
        self.ended = ended
        """Compactions that have ended since the shard was made."""
        self._last = 0
        """Number of the checkpoint whose commit ends the erasure; 0: not made yet, or no erasure."""

    def __bool__(self) -> bool:
        return bool(self.waiting or self.compacting or self.is_settling)

    @property
    def users(self) -> frozenset[bytes]:
        """Users with older bytes in the current tables."""
        return frozenset(self.waiting | self.compacting)

    @property
    def is_settling(self) -> bool:
        """True between the compaction and the end of the erasure."""
        return bool(self.settling or self._last)

    def resume(self, resumed: Manifest, others: Sequence[Manifest | None]) -> None:
        """Continue the erasure of an earlier run.

        Args:
            resumed: manifest of the checkpoint from which the shard resumes.
            others: manifests of the other checkpoints on disk; None for an incomplete one.
        """
        self.waiting = {bytes.fromhex(user) for user in resumed.erasing}
        self.ended = resumed.erasures
        if not resumed.records_erasure:
            self.waiting.add(FULL)
        is_settled = all(other and other.settling > resumed.settling for other in others)
        if resumed.settling and not is_settled:
            self.settling = CHECKPOINTS

    def add(self, users: Iterable[bytes]) -> None:
        """Let users wait for a compaction."""
        self.waiting.update(users)
        if len(self.waiting) > MAX_WAITING:
            self.waiting = {FULL}

    def begin(self, tables: int) -> list[tuple[bytes | None, bytes | None]]:
        """Begin a compaction of all users that wait, and return its ranges of keys.

        A range rewrites at least one table. So for more users than tables, one range over all keys costs less.
        """
        self.compacting, self.waiting = self.waiting, set()
        if FULL in self.compacting or len(self.compacting) > tables:
            return [(None, None)]
        return [(user, user + b"\0") for user in sorted(self.compacting)]

    def compacted(self) -> None:
        """Note the end of the compaction: no current table has older bytes of its users."""
        self.compacting = set()
        self.settling, self._last = CHECKPOINTS, 0
        self.ended += 1

    def checkpoint_made(self, number: int) -> None:
        """Note a new checkpoint."""
        if self.settling:
            self.settling -= 1
            self._last = 0 if self.settling else number

    def committed(self, number: int) -> None:
        """Note that a checkpoint is committed, and all older ones but one are deleted."""
        if 0 < self._last <= number:
            self._last = 0

    def end(self) -> None:
        """Note that all other checkpoints are deleted."""
        self.settling = self._last = 0
