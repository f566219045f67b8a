"""Tokens of the shards in Bytewax's recovery store, read and replaced by Bytewax itself.

A dataflow with the same flow and step, and with another source, resumes the shards and leaves the positions of the
real source as they are. Bytewax commits all tokens of such a run at once.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from bytewax.operators import StatefulBatchLogic

from dataflows.graph import ADAPT_STEP
from dataflows.recovery_store import run_keyed_steps
from state.storage.manifest import Token
from state.storage.shards import shard_key

Keyed = tuple[str, bytes]


def read_tokens(recovery: Path) -> dict[int, Token]:
    """Return the committed token of each shard."""
    found: list[bytes] = []
    _run(recovery, [], found)
    return {token.shard: token for token in map(Token.unpack, found)}


def replace_tokens(recovery: Path, tokens: Mapping[int, bytes]) -> None:
    """Commit a token per shard, all at once."""
    _run(recovery, [(shard_key(shard), token) for shard, token in tokens.items()], [])


def _run(recovery: Path, items: list[Keyed], found: list[bytes]) -> None:
    run_keyed_steps(recovery, {ADAPT_STEP: items}, {ADAPT_STEP: lambda token: _Holder(token, found)})


class _Holder(StatefulBatchLogic[bytes, bytes, bytes]):
    """The token of a shard, in place of the shard."""

    def __init__(self, token: bytes | None, found: list[bytes]) -> None:
        self._token = token
        if token is not None:
            found.append(token)

    def on_batch(self, values: list[bytes]) -> tuple[Iterable[bytes], bool]:
        self._token = values[-1]
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        assert self._token is not None  # noqa: S101  # a new shard begins with a token in `on_batch`
        return self._token
