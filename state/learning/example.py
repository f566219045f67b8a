"""One judgement of an answer, on its way from a person's state to what is learned of everybody.

It carries what the person's own beliefs added to the prediction, so that the population's can be learned jointly with
them wherever that is done, and the prediction itself, so that it can be scored.
"""

from array import array
from collections.abc import Sequence
from struct import Struct
from typing import NamedTuple

from state.learning.prediction import Own


class DirectedFeedback(NamedTuple):
    """Directed feedback: of one facet, another value than the served one was wished for."""

    served: int
    preferred: int
    """Slots."""
    mean: float
    variance: float
    """The person's own belief, before, of how much better `preferred` is."""


class Acted(NamedTuple):
    """One facet of an answer in which following the signal and using the default differ."""

    facet: int
    followed: bool
    """The answer had what the signal says."""
    used_default: bool
    """The answer had the default; it may have had neither."""
    propensity: float
    """How likely the value that was served was to be chosen, 0–1."""


class Example(NamedTuple):
    """One judgement; numbers are the catalogue's."""

    user: bytes
    """16-byte digest."""
    at_ms: int
    topic: int
    surface: int
    """`NONE` (−1) for an answer without."""
    item: int
    """32-bit hash of the item's id; 0: none."""
    liked: bool
    """A wish is a dislike of the answer as it was."""
    weight: float
    """0–1."""
    feedback_count: int
    """How many answers this person had judged before, up to 255."""
    p: float
    """The chance of a like that was predicted, before anything was learned from this."""
    slots: Sequence[int]
    """What was served, ascending."""
    bias: float
    """The person's own belief, before, of how much they like answers at all."""
    variance: float
    """Of all own beliefs that the prediction rested on, added up."""
    shares: dict[int, float]
    """Facet → what the person's own belief in the served values added to the prediction, before."""
    only: Sequence[int] = ()
    """Facets that the judgement is narrowed to, or nothing."""
    directed: Sequence[DirectedFeedback] = ()
    """What is learned from instead of the judgement, if there are any."""
    acted: Sequence[Acted] = ()

    @property
    def own(self) -> Own:
        """What the person's own beliefs added to the prediction."""
        return Own(self.bias + sum(self.shares.values()), self.variance, self.bias, self.shares)


_HEADER = Struct("<16sqhhI?fBfffHBBBB")
_SHARE = Struct("<Bf")
_WISH = Struct("<HHff")
_ACTED = Struct("<B??f")


def pack_example(e: Example) -> bytes:
    """Return the example as bytes for the exchange between workers."""
    parts = [
        _HEADER.pack(
            e.user, e.at_ms, e.topic, e.surface, e.item, e.liked, e.weight, e.feedback_count, e.p, e.bias, e.variance,
            len(e.slots), len(e.only), len(e.shares), len(e.directed), len(e.acted),
        ),
        array("H", e.slots).tobytes(),
        bytes(e.only),
    ]  # fmt: skip
    parts += [_SHARE.pack(*share) for share in e.shares.items()]
    parts += [_WISH.pack(*comparison) for comparison in e.directed]
    parts += [_ACTED.pack(*acted) for acted in e.acted]
    return b"".join(parts)


def unpack_example(data: bytes) -> Example:
    """Return what `pack_example` packed, in single precision."""
    (user, at_ms, topic, surface, item, liked, weight, feedback_count, p, bias, variance,
     slots, only, shares, directed, acted) = _HEADER.unpack_from(data)  # fmt: skip
    only_at = _HEADER.size + 2 * slots
    shares_at = only_at + only
    wishes_at = shares_at + _SHARE.size * shares
    acted_at = wishes_at + _WISH.size * directed
    return Example(
        user, at_ms, topic, surface, item, liked, weight, feedback_count, p,
        array("H", data[_HEADER.size : only_at]), bias, variance,
        dict(_SHARE.iter_unpack(data[shares_at:wishes_at])),
        data[only_at:shares_at],
        tuple(DirectedFeedback(*comparison) for comparison in _WISH.iter_unpack(data[wishes_at:acted_at])) if directed else (),
        tuple(Acted(*found) for found in _ACTED.iter_unpack(data[acted_at:])) if acted else (),
    )  # fmt: skip
