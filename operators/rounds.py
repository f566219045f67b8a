"""The keyed step of a bounded run: the deltas of all shards wait for the end of their round, and add up in order.

source: round 1 ─► adapt with version of round 1 ─► train ─► delta of each shard ─► version ─► round 2 opens everywhere
"""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from typing import Any, Protocol, TypeVar

import msgspec
from bytewax.operators import StatefulBatchLogic

from state.errors import StateError
from state.learning.delta import NO_ROUND, Delta, pack_deltas, unpack_deltas
from state.learning.encryption import decrypt, encrypt
from state.learning.population_prior import Prior
from state.learning.population_state import with_sources

Write = TypeVar("Write")

OpenRound = Callable[[int, bytes, Prior | None], object]
"""Open a round, by its number, for the sources of all processes: with the version that decides in the round, as bytes
and as a prior. Empty bytes and None: the round keeps the prior with which the run started."""

REPEAT = timedelta(seconds=5)
"""Time after which an open round is opened again: the store that all processes share may have lost it."""

LAYOUT = 5
"""First byte of a stored state; a state without rounds begins with another byte (state.learning.population_state)."""
EARLIER_LAYOUT = 3
"""The keyed step had the examples of the open round: they are lost, and the next round opens."""


class Trainer(Protocol[Write]):
    """`LearnPopulation` or `Prove`."""

    @property
    def prior(self) -> Prior | None:
        """Prior of the last version."""

    def train_round(self, deltas: Sequence[Delta], *, is_last: bool) -> list[Write]:
        """Add up the deltas of a round, and return the writes of a new version."""

    def snapshot(self) -> bytes:
        """Return the state."""


class _Stored(msgspec.Struct, array_like=True):
    round: int
    version: bytes
    ended: dict[int, bool]
    waiting: bytes
    """Encrypted deltas."""
    trainer: bytes
    """Empty before the first delta."""


class _Earlier(msgspec.Struct, array_like=True):
    """Layout 3."""

    round: int
    version: bytes
    ended: dict[str, int]
    finished: Any
    waiting: Any
    trainer: bytes


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode
_decode_earlier = msgspec.msgpack.Decoder(_Earlier).decode
_by_shard = attrgetter("shard")


class Rounds(StatefulBatchLogic[Delta, Write, bytes]):
    """A trainer in rounds. A round is complete when all shards have ended it."""

    def __init__(
        self,
        trainer: Trainer[Write],
        version_of: Callable[[Write], bytes],
        open_round: OpenRound,
        *,
        shards: int,
        key: bytes,
        snapshot: bytes | None = None,
    ) -> None:
        """Continue with the rounds of a snapshot, or begin with round 0, which is open.

        Args:
            trainer: trainer with the state of `trainer_state(snapshot)`.
            version_of: returns the version in a write; empty bytes without one.
            open_round: opens the next round; it is called again for the same round at a resume, and from time to time.
            shards: count of shards.
            key: key of the stored state.
            snapshot: state of `snapshot`.

        Raises:
            StateError: the snapshot is damaged, or was encrypted with another key.
        """
        self._trainer = trainer
        self._version_of = version_of
        self._open_round = open_round
        self._shards = shards
        self._key = key
        self._round = 0
        self._version = b""
        self._ended: dict[int, bool] = {}
        """Shards that have ended the round; True: their sources have no further round."""
        self._waiting: list[Delta] = []
        self._opens_again_at: datetime | None = None
        if snapshot is not None and has_rounds(snapshot):
            self._restore(_stored(snapshot))

    def _restore(self, stored: _Stored) -> None:
        self._waiting = _opened(stored, self._key)
        self._round, self._version, self._ended = stored.round, stored.version, stored.ended
        self._opens_again_at = datetime.now(UTC)

    def on_batch(self, values: list[Delta]) -> tuple[list[Write], bool]:
        """Take deltas; add them up when the round is complete."""
        writes: list[Write] = []
        for delta in values:
            self._waiting.append(delta)
            if delta.round != NO_ROUND:
                self._ended[delta.shard] = delta.is_last
                if len(self._ended) == self._shards:
                    writes += self._train(delta.round)
        return writes, StatefulBatchLogic.RETAIN

    def _train(self, number: int) -> list[Write]:
        deltas = sorted(self._waiting, key=_by_shard)
        writes = self._trainer.train_round(deltas, is_last=all(self._ended.values()))
        for write in writes:
            self._version = self._version_of(write)
        self._round = number + 1
        self._ended, self._waiting = {}, []
        self._open()
        return writes

    def _open(self) -> None:
        self._open_round(self._round, self._version, self._trainer.prior if self._version else None)
        self._opens_again_at = datetime.now(UTC) + REPEAT

    def notify_at(self) -> datetime | None:
        """Request a call at once after a resume, then `REPEAT` after each opening."""
        return self._opens_again_at

    def on_notify(self) -> tuple[list[Write], bool]:
        """Open the present round again."""
        self._open()
        return [], StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        """Return the state for Bytewax; the waiting deltas are encrypted."""
        waiting = encrypt(pack_deltas(self._waiting), self._key) if self._waiting else b""
        return bytes([LAYOUT]) + _encode(
            _Stored(self._round, self._version, self._ended, waiting, self._trainer.snapshot())
        )


def has_rounds(snapshot: bytes) -> bool:
    """Return whether a snapshot is of a run with rounds."""
    return snapshot[0] in (LAYOUT, EARLIER_LAYOUT)


def trainer_state(snapshot: bytes) -> bytes:
    """Return the state of the trainer in a snapshot of a run with or without rounds.

    Raises:
        StateError: the snapshot is damaged.
    """
    return _stored(snapshot).trainer if has_rounds(snapshot) else snapshot


def waiting_deltas(snapshot: bytes, key: bytes) -> list[Delta]:
    """Return the deltas of the open round in the order of shards, for a run without rounds that continues.

    Raises:
        StateError: the snapshot is damaged, or was encrypted with another key.
    """
    return sorted(_opened(_stored(snapshot), key), key=_by_shard) if has_rounds(snapshot) else []


def _opened(stored: _Stored, key: bytes) -> list[Delta]:
    if not stored.waiting:
        return []
    waiting = decrypt(stored.waiting, key)
    if waiting is None:
        raise StateError("the deltas of the open round are encrypted with another secret: use that secret")
    return unpack_deltas(waiting)


def resharded(
    snapshot: bytes | None, key: bytes, source_after: Callable[[int], int], deltas: Sequence[Delta]
) -> bytes | None:
    """Return the state of the keyed step after a change of the shards, for a live run, which begins with some deltas.

    Args:
        snapshot: state of a step with or without rounds; None: the step has none yet.
        key: key of the stored state.
        source_after: source of votes → source that has its users after the change.
        deltas: deltas that the step has not taken.

    Raises:
        StateError: the snapshot is damaged, or was encrypted with another key.
    """
    if snapshot is None and not deltas:
        return None
    trainer = with_sources(trainer_state(snapshot), key, source_after) if snapshot else b""
    merged = [*(waiting_deltas(snapshot, key) if snapshot else ()), *deltas]
    if not merged:
        return trainer
    moved = [msgspec.structs.replace(delta, shard=source_after(delta.shard)) for delta in merged]
    return bytes([LAYOUT]) + _encode(_Stored(0, b"", {}, encrypt(pack_deltas(moved), key), trainer))


def stored_version(snapshot: bytes) -> bytes:
    """Return the version that decides in the open round; empty bytes for none."""
    return _stored(snapshot).version if has_rounds(snapshot) else b""


def _stored(snapshot: bytes) -> _Stored:
    """Return the content of a snapshot.

    Of layout 3, partitions that have ended the open round do not end it again, so the next round opens.
    """
    try:
        if snapshot[0] == LAYOUT:
            return _decode(snapshot[1:])
        found = _decode_earlier(snapshot[1:])
    except msgspec.MsgspecError as error:
        raise StateError(f"the state of the rounds is damaged: {error}; restore the state folder") from error
    return _Stored(found.round + bool(found.ended), found.version, {}, b"", found.trainer)
