"""Noisy release of the votes of many users on one number: the population never shows the vote of one user.

Votes wait in a block. A block is released as a whole, with Gaussian noise, when at least `MIN_USERS` users have voted;
no user has more than a twentieth of its weight. A vote is in one block, and a block is released once, so no comparison
of two versions shows a vote without noise. Source: the Gaussian mechanism (Dwork, Roth, "The algorithmic foundations of
differential privacy", 2014) over disjoint blocks (McSherry, SIGMOD 2009).

A vote is a residual: 1 for a like or 0 for a dislike, minus the predicted probability. A dislike in place of a like
changes a residual by 1. The shares of one feedback's votes have squares of at most 1 in sum.
"""

from hashlib import blake2b
from statistics import NormalDist
from struct import Struct

MIN_USERS = 20
FIRST_USERS = 50
"""Users of the first releases: with fewer, the noise outweighs the votes."""
MAX_USERS = 1_000
"""Users of a block that always suffice."""
NOISE = 5.5
"""Standard deviation of the noise of a block, for votes with a total share of 1: the optimal attacker is right in
Φ(1 / (2 · 5.5)) = 54 % of guesses between a like and a dislike."""
SLOPE = 0.36
"""Expected change of a residual per unit of the mean: φ(0) / √1.2."""
OTHERS = 0.1
"""Share of the other beliefs' variance that all votes of a block have in common."""
_RESIDUAL_VARIANCE = 0.25
_MIN_USERS = MIN_USERS
_ROUNDING = 1 - 1e-12
_CONTENT = Struct("<qddd")
_NORMAL = NormalDist()


class Block:
    """Votes of different users that are not released.

    >>> block = Block(number=1)
    >>> for _ in range(19):
    ...     block.add(0.5, share=1.0, others=0.2)
    >>> block.is_due(20), block.add(0.5, share=1.0, others=0.2), block.is_due(20)
    (False, None, True)
    """

    def __init__(self, number: int) -> None:
        self.number = number
        """Different for each block of a model."""
        self.users = 0
        self.residuals = 0.0
        """Sum of share × residual."""
        self.shares = 0.0
        self.squares = 0.0
        self.top = 0.0
        """Largest share."""
        self.others = 0.0
        """Sum of the variances of the other beliefs behind the predictions."""
        self.forgets = 0
        """Users with a vote on the number who were forgotten since the block's start, and may vote again."""

    def add(self, residual: float, share: float, others: float) -> None:
        """Add the vote of a user without a vote in the block."""
        self.users += 1
        self.residuals += share * residual
        self.shares += share
        self.squares += share * share
        if share > self.top:
            self.top = share
        self.others += others

    def merge(self, users: int, residuals: float, shares: float, squares: float, top: float, others: float) -> None:
        """Add the votes of further users, by their sums."""
        self.users += users
        self.residuals += residuals
        self.shares += shares
        self.squares += squares
        if top > self.top:
            self.top = top
        self.others += others

    def is_due(self, users: int) -> bool:
        """Return whether the block has enough users, and none has more than a twentieth of the shares."""
        return self.users >= users and self.shares >= _MIN_USERS * (1 + self.forgets) * self.top * _ROUNDING

    def release(self, mean: float, variance: float, key: bytes, name: str) -> tuple[float, float]:
        """Return a belief after the block, given the belief before; by a Kalman filter's update."""
        slope = SLOPE * self.shares
        error = (self.residuals + NOISE * self.noise(key, name)) / slope
        uncertainty = (_RESIDUAL_VARIANCE * self.squares + NOISE**2) / slope**2 + OTHERS * self.others / self.users
        gain = variance / (variance + uncertainty)
        return mean + gain * error, variance * (1.0 - gain)

    def noise(self, key: bytes, name: str) -> float:
        """Return a standard normal number, fixed by the key, the name and the votes.

        Without the key it is random. Other votes have other noise, so two runs over almost the same history have no
        noise in common that their difference would remove.
        """
        content = _CONTENT.pack(self.users, self.residuals, self.shares, self.others)
        return standard_normal(key, b"%s|%d|%s" % (name.encode(), self.number, content))


def standard_normal(key: bytes, message: bytes) -> float:
    """Return a standard normal number that is a function of key and message."""
    hashed = blake2b(message, key=key, digest_size=8, person=b"tacit.noise").digest()
    return _NORMAL.inv_cdf((int.from_bytes(hashed, "little") + 0.5) / 2**64)


def users_for_release(released: int) -> int:
    """Return the users of the next block after a number of released users.

    Blocks grow with the released users, so that noise adds up slowly.

    >>> [users_for_release(released) for released in (0, 50, 300, 9_000)]
    [50, 50, 150, 1000]
    """
    return min(MAX_USERS, max(FIRST_USERS, released // 2))
