"""Rates of likes with weights, summed in 64 buckets of hashed users, and their differences with intervals.

Answers of one user, and of one conversation, resemble each other, so the variance is taken between buckets of users:
a cluster-robust variance of a ratio (Liang, Zeger, Biometrika 73(1), 1986; Cochran, "Sampling Techniques", 1977, 6.4).
Each arm gets a like and a dislike of average weight, as rates near 0 and 1 need (Agresti, Caffo, "Simple and effective
confidence intervals for proportions and differences of proportions", The American Statistician 54(4), 2000).
"""

from array import array
from collections import defaultdict
from collections.abc import Sequence
from math import fsum, sqrt
from typing import NamedTuple, cast

from state.learning.student_t import t95

BUCKETS = 64
MIN_ANSWERS = 30
"""Effective answers of each arm that an estimate needs: (Σ w)² / Σ w² (Kish, "Survey Sampling", 1965)."""
MIN_BUCKETS = 20
"""Buckets with answers of each arm that an estimate needs: so at least 20 users stand behind every figure."""

_MIN_FREEDOM = 4.0
_LOST = 2
"""Degrees of freedom that the rates of two arms take."""


def bucket_of(user: bytes) -> int:
    """Return the bucket of a user, by pseudonym: a keyed hash already."""
    return user[-1] % BUCKETS


class Difference(NamedTuple):
    """Difference of the rates of two arms."""

    n: int
    """Answers of both arms."""
    effective: float
    """Effective answers of the arm that has fewer."""
    suffices: bool
    """Each arm has enough effective answers, of enough users."""
    rate: float = 0.0
    other: float = 0.0
    """Rates of likes, 0–1, of both arms."""
    difference: float = 0.0
    """Corrected difference, in the centre of the interval."""
    error: float = 0.0
    """Standard error of the difference."""
    freedom: float = BUCKETS - 1.0
    """Degrees of freedom of the error."""

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference."""
        margin = t95(self.freedom) * self.error
        return self.difference - margin, self.difference + margin


class Arm:
    """Weighted answers of one arm: sums per bucket."""

    __slots__ = ("liked", "n", "squares", "weights")

    def __init__(self, n: int = 0, squares: float = 0.0, weights: bytes = b"", liked: bytes = b"") -> None:
        self.n = n
        self.squares = squares
        """Sum of the squared weights."""
        self.weights = array("d", weights or bytes(8 * BUCKETS))
        self.liked = array("d", liked or bytes(8 * BUCKETS))
        """Sums of weights and of weights of liked answers, by bucket."""

    def add(self, bucket: int, outcome: float, weight: float = 1.0) -> None:
        """Add an answer; `outcome` is 1 for a like, or any number of which the mean is asked for."""
        self.n += 1
        self.squares += weight * weight
        self.weights[bucket] += weight
        self.liked[bucket] += weight * outcome

    def merge(self, new: "PackedAnswers") -> None:
        """Add the sums of further answers."""
        n, squares, weights, liked = new
        self.n += n
        self.squares += squares
        for bucket, weight in weights.items():
            self.weights[bucket] += weight
        for bucket, weight in liked.items():
            self.liked[bucket] += weight

    @property
    def weight(self) -> float:
        """Sum of the weights."""
        return fsum(self.weights)

    @property
    def mean(self) -> float:
        """Weighted mean; 0 without answers."""
        return fsum(self.liked) / weight if (weight := self.weight) else 0.0

    @property
    def effective(self) -> float:
        """Effective number of answers."""
        return round(self.weight**2 / self.squares, 6) if self.squares else 0.0

    @property
    def buckets(self) -> int:
        """Buckets with answers."""
        return len([weight for weight in self.weights if weight])

    @property
    def suffices(self) -> bool:
        """True with enough effective answers, of enough users, for an estimate."""
        return self.effective >= MIN_ANSWERS and self.buckets >= MIN_BUCKETS

    def pack(self) -> tuple[int, float, bytes, bytes]:
        """Return the arguments from which the constructor makes the arm again."""
        return self.n, self.squares, self.weights.tobytes(), self.liked.tobytes()


PackedAnswers = tuple[int, float, dict[int, float], dict[int, float]]
"""Answers, squared weights, and by bucket the weights and the weights of liked answers."""


class NewAnswers:
    """Weighted answers of one arm since the last delta, with the buckets that have any (state.learning.delta)."""

    __slots__ = ("liked", "n", "squares", "weights")

    def __init__(self) -> None:
        self.n = 0
        self.squares = 0.0
        self.weights: defaultdict[int, float] = defaultdict(float)
        self.liked: defaultdict[int, float] = defaultdict(float)

    def add(self, bucket: int, outcome: float, weight: float = 1.0) -> None:
        """Add an answer, as to an `Arm`."""
        self.n += 1
        self.squares += weight * weight
        self.weights[bucket] += weight
        self.liked[bucket] += weight * outcome

    def take(self) -> PackedAnswers:
        """Return the sums, and begin again."""
        found = self.n, self.squares, dict(self.weights), dict(self.liked)
        self.n, self.squares = 0, 0.0
        self.weights.clear()
        self.liked.clear()
        return found


class Arms(dict[str, Arm]):
    """Arms by name; a missing arm is made, and is empty."""

    def __missing__(self, name: str) -> Arm:
        found = self[name] = Arm()
        return found


class NewArms(dict[str, NewAnswers]):
    """Arms of a delta by name; a missing arm is made, and is empty."""

    def __missing__(self, name: str) -> NewAnswers:
        found = self[name] = NewAnswers()
        return found

    def as_arms(self) -> Arms:
        """Return the same arms for additions, all that `NewAnswers` can do of an `Arm`."""
        return cast("Arms", self)

    def take(self) -> dict[str, PackedAnswers]:
        """Return the sums of the arms with answers, and begin again."""
        return {name: arm.take() for name, arm in self.items() if arm.liked or arm.n}


def arm(arms: Arms, *names: str) -> Arm:
    """Return the arm of these names, which is empty at first."""
    return arms[" ".join(names)]


def difference(one: Arm, other: Arm, centre: float = 0.5) -> Difference:
    """Return the difference of the rates of two arms; all rates are 0 while an arm is empty.

    `centre` is the mean of the two answers that each arm gets.
    """
    n, effective = one.n + other.n, min(one.effective, other.effective)
    if not effective:
        return Difference(n, effective, False)
    first, second = _corrected(one, centre), _corrected(other, centre)
    deviations = [a - b for a, b in zip(first.deviations, second.deviations, strict=True)]
    between = fsum(d * d for d in deviations)
    used = len([1 for a, b in zip(one.weights, other.weights, strict=True) if a or b])
    squares = between * used / max(used - _LOST, 1) + first.added + second.added
    return Difference(
        n, effective, one.suffices and other.suffices, one.mean, other.mean,
        first.mean - second.mean, sqrt(squares), freedom_of(deviations, between, used),
    )  # fmt: skip


class _Corrected(NamedTuple):
    mean: float
    deviations: Sequence[float]
    """Influence of each bucket on the mean."""
    added: float
    """Variance of the two added answers."""


def _corrected(arm: Arm, centre: float) -> _Corrected:
    """Return a rate with two more answers of average weight, half above and half below the centre."""
    weight = arm.squares / arm.weight
    total = arm.weight + 2.0 * weight
    mean = (fsum(arm.liked) + 2.0 * centre * weight) / total
    deviations = [(liked - mean * w) / total for w, liked in zip(arm.weights, arm.liked, strict=True)]
    return _Corrected(mean, deviations, 2.0 * (0.5 * weight / total) ** 2)


def freedom_of(deviations: Sequence[float], squares: float, used: int) -> float:
    """Return the degrees of freedom of `used` buckets, by the kurtosis of the deviations.

    They are fewer where few buckets outweigh the rest.

    Satterthwaite, Biometrics Bulletin 2(6), 1946, with the sample's fourth moment in place of a normal one.
    """
    fourth = fsum(d**4 for d in deviations)
    most = max(_MIN_FREEDOM, used - float(_LOST))
    return min(most, max(_MIN_FREEDOM, 3.0 * squares * squares / fourth - _LOST)) if fourth else most
