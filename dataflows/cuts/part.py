"""Parts of a cut: the files of one host, before the first host completes the cut by its manifest.

PREFIX/REGION/NAMESPACE/request.json                         number of the cut that all hosts stage now
PREFIX/REGION/NAMESPACE/parts/000007-0000000042-RUN/HOST.json
                                                             part of a host
"""

from collections.abc import Mapping
from typing import Self

import msgspec

from dataflows.cuts.cut import CutShard, StoredFile
from state.errors import StateError
from state.storage.manifest import Token

REQUEST = "request.json"
PARTS = "parts"


class Request(msgspec.Struct, frozen=True):
    """Request to stage a cut."""

    fence: int
    number: int
    run: str = ""
    """Execution of the first host: after a restart, a number comes again, and parts of before must not count."""
    commit: int = 0
    """Commit of Bytewax right after which all hosts copy, so that the copies fit together."""
    is_last: bool = False
    """True for the last cut of a run."""

    @classmethod
    def decode(cls, data: bytes) -> Self:
        """Read the JSON of a request; one that is damaged is none, and the next one replaces it."""
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return cls(0, 0)


class Part(msgspec.Struct, frozen=True):
    """Files of one host."""

    archive: StoredFile
    checkpoints: list[CutShard]
    """Checkpoints of the host's shards, of which the cut has at most one per shard."""
    population: int
    """Number of the newest population version that the host has; 0 for none."""

    @classmethod
    def decode(cls, data: bytes, where: str) -> Self:
        """Read the JSON of a part.

        Raises:
            StateError: it is damaged.
        """
        try:
            return msgspec.json.decode(data, type=cls)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise StateError(f"{where} is damaged: {error}; the next cut writes another") from error


def part_key(request: Request, host: int) -> str:
    """Return the key of a host's part for a request."""
    return f"{PARTS}/{request.fence:06d}-{request.number:010d}-{request.run}/{host}.json"


def chosen_shards(parts: list[Part], tokens: Mapping[int, Token]) -> dict[str, CutShard] | None:
    """Return the checkpoint of each token; None while a host still fetches one of them."""
    found = {shard.token: shard for part in parts for shard in part.checkpoints}
    chosen = {str(shard): found[text] for shard, token in tokens.items() if (text := token.pack().hex()) in found}
    return chosen if len(chosen) == len(tokens) else None
