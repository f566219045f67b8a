"""Stored state of a shard's training; all that concerns users is encrypted."""

from collections.abc import Sequence

import msgspec

from state.errors import StateError
from state.learning.delta import Delta
from state.learning.encryption import decrypt, encrypt
from state.learning.example import Message, pack_message, unpack_message
from state.learning.shard_training import StoredShard

LAYOUT = 1
"""First byte of a stored state."""


class TrainState(msgspec.Struct):
    """State of a shard's training, decrypted."""

    shard: int
    training: StoredShard | None
    """None: it was encrypted with another secret, and the training begins again."""
    deltas: Sequence[Delta] = ()
    """Deltas that no step has yet."""
    waiting: Sequence[Message] = ()
    """Messages of the open round, those of a user in order."""
    round: int = 0
    ended: Sequence[str] = ()
    """Partitions that have ended the round."""
    finished: Sequence[str] = ()
    """Partitions without further records."""


class _Private(msgspec.Struct, array_like=True):
    training: StoredShard
    deltas: Sequence[Delta]


class _Stored(msgspec.Struct, array_like=True):
    shard: int
    round: int
    ended: Sequence[str]
    finished: Sequence[str]
    private: bytes
    waiting: bytes
    """Messages of the open round. Both are encrypted."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode
_decode_private = msgspec.msgpack.Decoder(_Private).decode
_decode_waiting = msgspec.msgpack.Decoder(list[bytes]).decode


def pack_train_state(state: TrainState, key: bytes) -> bytes:
    """Return a state as bytes."""
    private = b"" if state.training is None else encrypt(_encode(_Private(state.training, state.deltas)), key)
    waiting = encrypt(_encode([pack_message(one) for one in state.waiting]), key) if state.waiting else b""
    return bytes([LAYOUT]) + _encode(
        _Stored(state.shard, state.round, sorted(state.ended), sorted(state.finished), private, waiting)
    )


def unpack_train_state(data: bytes, key: bytes) -> TrainState:
    """Return the state of `pack_train_state`.

    Raises:
        StateError: the bytes are damaged, or the open round was encrypted with another key.
    """
    try:
        stored = _decode(data[1:])
        waiting = decrypt(stored.waiting, key) if stored.waiting else _encode([])
        private = decrypt(stored.private, key)
        opened = None if private is None else _decode_private(private)
        messages = [] if waiting is None else [unpack_message(one) for one in _decode_waiting(waiting)]
    except (msgspec.MsgspecError, ValueError) as error:
        raise StateError(f"the state of a shard's training is damaged: {error}; restore the state folder") from error
    if waiting is None:
        raise StateError("the examples of the open round are encrypted with another secret: use that secret")
    return TrainState(
        stored.shard,
        opened.training if opened else None,
        opened.deltas if opened else [],
        messages,
        stored.round,
        stored.ended,
        stored.finished,
    )
