"""Manifest of a cut: everything that a run needs to resume from object storage, with sizes and checksums.

PREFIX/REGION/NAMESPACE/lease                            lease and fencing number of the cluster that runs
PREFIX/REGION/NAMESPACE/cuts/000007-0000000042.json      manifest of cut 42 under fencing number 7
PREFIX/REGION/NAMESPACE/savepoints/NAME.json             copy of a manifest that no retention drops, or a note that
                                                         it was dropped, with the reason (bucket.py)
PREFIX/REGION/NAMESPACE/tables/SHARD/EXECUTION/NAME.sst  tables of RocksDB, each once; an execution begins with the
                                                         fencing number
PREFIX/REGION/NAMESPACE/archives/….tar.zst               all other files of a host at one cut

A cut without a manifest does not exist. What no manifest names is deleted.
"""

import re
from typing import Self

import msgspec

from connectors.objects.keys import is_key
from dataflows.state_folder import Identity
from state.errors import StateError
from state.storage.manifest import TABLE, Token

FORMAT = 1
SAVEPOINT_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,62}")
"""Names of savepoints: they are part of a key, and of a command line."""


class StoredFile(msgspec.Struct, frozen=True, array_like=True):
    """File in object storage."""

    key: str
    size: int
    """Bytes."""
    checksum: int
    """CRC-32 of the bytes."""


class CutShard(msgspec.Struct, frozen=True):
    """Checkpoint of a shard in a cut; the files that are no tables are in an archive."""

    token: str
    """Token that the recovery store has, as hex."""
    tables: dict[str, StoredFile]
    erasures: int = 0
    """Erasures of wiped users of the shard that have ended, as of its checkpoint."""

    @property
    def checkpoint(self) -> Token:
        """The token."""
        return Token.unpack(bytes.fromhex(self.token))

    def check(self, shard: str) -> None:
        """Check the names, as `Cut.check`; `shard` is the number of the shard in the manifest."""
        try:
            token = self.checkpoint
        except StateError:
            raise ValueError(f"the token of shard {shard[:9]!r} cannot be read") from None
        if str(token.shard) != shard or token.shard >= token.shards:
            raise ValueError(f"the token of shard {shard[:9]!r} is that of shard {token.shard} of {token.shards}")
        if wrong := next((name for name in self.tables if "/" in name or not name.endswith(TABLE)), ""):
            raise ValueError(f"{wrong[:99]!r} is no name of a table")


class _Form(msgspec.Struct):
    """The one member that all versions have."""

    format: int = FORMAT


class Cut(msgspec.Struct, frozen=True):
    """Manifest of a cut."""

    number: int
    fence: int
    """Fencing number of the cluster: a later cluster has a higher one."""
    made_ms: int
    """Time at which the files of the cut were copied, epoch milliseconds by the clock of the host."""
    run: str
    """Execution of the run."""
    state: str
    """Id of the state folder."""
    identity: Identity
    population: int
    """Number of the newest population version; 0 for none."""
    archives: list[StoredFile]
    """One per host."""
    shards: dict[str, CutShard]
    begun_from: str = ""
    """Savepoint, as `NAME@FENCE-NUMBER`, from which the state began; empty for none."""
    saved_by: str = ""
    """In a savepoint, random name of the command that saved it: no two write the same bytes."""
    guard: int = 0
    """In a savepoint, fencing number of the cluster that found it at its start; an earlier one cannot change it."""
    followed: str | None = None
    """In a savepoint, `line` of the cut from which it last took wipes; None: it took none."""
    rewritten_ms: int = 0
    """Time at which a savepoint last took wipes; 0 for never."""
    format: int = FORMAT

    @property
    def position(self) -> tuple[int, int]:
        """Place in the order of cuts: a cut of a later cluster is newer."""
        return self.fence, self.number

    @property
    def line(self) -> str:
        """Name of the line of cuts: along it, counts of erasures only grow."""
        return f"{self.state}/{self.begun_from}"

    @property
    def text(self) -> str:
        """Name of the cut."""
        return f"{self.fence}-{self.number}"

    @property
    def files(self) -> list[StoredFile]:
        """All objects that the cut names."""
        return [*self.archives, *(table for shard in self.shards.values() for table in shard.tables.values())]

    @property
    def size(self) -> int:
        """Bytes of all objects."""
        return sum(file.size for file in self.files)

    def encode(self) -> bytes:
        """Return the manifest as JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, data: bytes, where: str) -> Self:
        """Read the JSON of `encode`.

        Raises:
            StateError: it is damaged, or of a later version.
        """
        try:
            form = msgspec.json.decode(data, type=_Form).format
            if form > FORMAT:
                raise StateError(
                    f"the manifest {where} has format {form}, and this version reads up to {FORMAT}: use the version "
                    "that wrote it"
                )
            found = msgspec.json.decode(data, type=cls)
            found.check()
        except (msgspec.MsgspecError, ValueError) as error:
            raise StateError(
                f"the manifest {where} is damaged: {error}; drop it, so that the cut before it counts, or restore it"
            ) from error
        return found

    def check(self) -> None:
        """Check the names, which become requests to the store, and files of a state folder.

        Raises:
            ValueError: a key, a shard, a token or the name of a table has another form.
        """
        if (wrong := next((file.key for file in self.files if not is_key(file.key)), None)) is not None:
            raise ValueError(f"{wrong[:99]!r} is no key of an object")
        for shard, found in self.shards.items():
            found.check(shard)
