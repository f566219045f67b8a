"""Messages from a user's state to the training of its shard: a training example, or the forget of a user.

A training example is a feedback.
An example carries the prediction, for scores, and the contribution of the user model to the prediction: the trainer
fits the population model jointly with that contribution.
"""

from collections.abc import Sequence
from math import fsum
from typing import NamedTuple

import msgspec

from state.learning.prediction import UserPart


class DirectedFeedback(NamedTuple):
    """Directed feedback on one facet: the user preferred another value than the served value."""

    served: int
    preferred: int
    """Slots."""
    mean: float
    variance: float
    """The user model's belief, before the update, of how much better `preferred` is."""


class Logged(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Logged choice of an answer's style, for the proof that signals help (state.learning.proof)."""

    acted: Sequence[tuple[int, float, int]] = ()
    """Slot, propensity (0–1) and slot of the runner-up, one entry per facet, without facets with a pin.

    Of an answer that neither opens nor is sampled (`is_sampled`), tried values alone.
    """
    proposed: Sequence[int] = ()
    """Slots that the answer would have had, in apprentice mode."""
    signals: bytes = b""
    """Slots of the user's own signals by facet before the feedback, 16 bits each, −1 for none; empty without any."""
    confidences: bytes = b""
    """Confidences of these signals by facet, as 32-bit floats."""
    opens: bool = False
    """The first feedback of the user after half an hour without any."""


NOTHING_LOGGED = Logged()


class Example(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A feedback, by the catalogue's numbers."""

    user: bytes
    """16-byte pseudonym."""
    at_ms: int
    topic: int
    surface: int
    """`NONE` (−1): unknown."""
    item: int
    """32-bit hash of the item's id; 0: none."""
    liked: bool
    """Directed feedback counts as a dislike of the served answer."""
    weight: float
    """0–1."""
    feedback_count: int
    """Count of the user's earlier feedback, at most 255."""
    p: float
    """Predicted probability of a like, before the update."""
    slots: Sequence[int]
    """Served values, ascending."""
    bias: float
    """The user model's bias, before the update: how much the user likes answers in general."""
    variance: float
    """Sum over the beliefs of the user model that the prediction used."""
    shares: dict[int, float]
    """Facet → contribution of the user model's belief in the served values to the prediction, before the update."""
    only: Sequence[int] = ()
    """Facets that the feedback is narrowed to; empty for all."""
    directed: Sequence[DirectedFeedback] = ()
    """Directed feedback; if present, the trainer ignores `liked`."""
    logged: Logged | None = None
    """None for repeated feedback on a turn, which proves nothing more."""

    @property
    def own(self) -> UserPart:
        """The user model's contribution to the prediction."""
        return UserPart(self.bias + fsum(self.shares.values()), self.variance, self.bias, self.shares)


class Forget(NamedTuple):
    """A wipe: the population forgets a user before it trains with a later example of the user."""

    user: bytes
    """16-byte pseudonym."""


Message = Example | Forget

_FORGET = b"f"
"""First byte of a packed forget; an example begins with the byte of a list."""

pack_example = msgspec.msgpack.Encoder().encode
"""Return an example as bytes, to be stored."""

unpack_example = msgspec.msgpack.Decoder(Example).decode
"""Return the example in packed bytes."""


def pack_message(message: Message) -> bytes:
    """Return a message as bytes: for the open round of a bounded run, and for challengers."""
    return _FORGET + message.user if isinstance(message, Forget) else pack_example(message)


def unpack_message(data: bytes) -> Message:
    """Return the message in packed bytes."""
    return Forget(data[1:]) if data[:1] == _FORGET else unpack_example(data)
