"""Stacking: weights of the parts of a prediction, learned from all users with the noise of a crowd.

A prediction is a sum of parts (Wolpert, Neural Networks 5(2), 1992): a constant, the population's part, and the user's
part for each facet. Prior variances are guesses, forgetting keeps the user's part small, and weights of feedback kinds
bend calibration; a factor per part corrects all of it.

The factors stay fixed during a block of examples. An example adds its residual times its parts to the sums of the
block, and the parts have a norm of at most `MAX_NORM`. The population's bias is learned with them, from likes and
dislikes without the factors. A block is released once, with Gaussian noise; then factors and bias move by a Kalman
filter's update. Everything but the sums is independent of which feedback was a like.
"""

from array import array
from collections.abc import Mapping, Sequence
from math import fsum

from state.learning.contributors import Contributors
from state.learning.features import BIAS, BIAS_VARIANCE
from state.learning.linear_algebra import Matrix, added, identity, product, solved
from state.learning.population_version import Gaussian
from state.learning.release import FIRST_USERS, MIN_USERS, SLOPE, standard_normal
from state.learning.stacking_sums import CONSTANT, MAX_NORM, StackingDelta

OFFSET = "offset"
"""The part with the constant value 1; its factor starts at 0."""
POPULATION = "population"
OWN_BIAS = "own"
OWN_START = 1.4
"""Factor of the user's parts before the first release: measured on films (1.3 to 1.6) and on simulated users (1.2 to
2.5)."""
PRIOR_VARIANCE = 0.3
NOISE = 8.0
"""Standard deviation of the noise of a sum, per `MAX_NORM`."""
FIRST_EXAMPLES = 1_000
"""Examples of the first release; a later block has as many as all blocks before."""
MAX_EXAMPLES = 20
"""Examples of a user: those after the user's first feedback. So the first release has 50 users or more, and no user is
more than a fiftieth of it."""

_RESIDUAL_VARIANCE = 0.25


def user_part_name(facet: str) -> str:
    """Return the name of the user's part for a facet."""
    return f"{OWN_BIAS}:{facet}"


class Sums:
    """Sums over a block of examples that is not released."""

    def __init__(self, parts: int) -> None:
        self.examples = 0
        self.residuals = array("d", bytes(8 * parts))
        """By part: sum of residual × part."""
        self.products = array("d", bytes(8 * parts * parts))
        """Sums of the products of two parts, row by row."""
        self.bias_residuals = 0.0
        """Sum for the population's bias, like those of the parts."""
        self.bias_slopes = 0.0
        self.bias_squares = 0.0
        self.contributors = Contributors()

    def rows(self) -> Matrix:
        """Return the sums of products as a matrix."""
        parts = len(self.residuals)
        return [list(self.products[row * parts : (row + 1) * parts]) for row in range(parts)]


class Stacking:
    """Stacking factors of the parts of a prediction; a `key` that readers of versions do not have makes the noise.

    >>> from state.learning.stacking_sums import StackingSums
    >>> stacking = Stacking(["length"])
    >>> sums = StackingSums(len(stacking.parts))
    >>> for n in range(20_000):
    ...     sums.add(n * 0x9E3779B97F4A7C15 % 2**64, 0.4, 0.0, {}, residual=-0.2)
    >>> stacking.merge(sums.take())
    >>> stacking.release_if_due(), stacking.factors["offset"].mean < -0.3
    (True, True)
    """

    def __init__(self, facets: Sequence[str], key: bytes = b"") -> None:
        """Start with the facets of a catalogue, in its order."""
        self.key = key
        self.parts = [OFFSET, POPULATION, OWN_BIAS, *map(user_part_name, facets)]
        self.means = [0.0, 1.0] + [OWN_START] * (len(self.parts) - 2)
        """By part: released factors."""
        self.covariance = identity(len(self.parts), PRIOR_VARIANCE)
        self.covariance[0][0] /= CONSTANT**2
        self.bias = Gaussian(0.0, BIAS_VARIANCE)
        """Released belief about the feature of every answer."""
        self.released = 0
        """Examples in released blocks."""
        self.sums = Sums(len(self.parts))

    @property
    def factors(self) -> dict[str, Gaussian]:
        """Return the released factors by part, in coarse digits."""
        variances = [row[number] for number, row in enumerate(self.covariance)]
        variances[0] *= CONSTANT**2
        return {
            part: Gaussian(mean, float(f"{variance:.2g}"))
            for part, mean, variance in zip(self.parts, self.means, variances, strict=True)
        }

    def restore(self, factors: Mapping[str, Gaussian], bias: Gaussian | None = None) -> None:
        """Start from published factors, and from the published belief about the population's bias."""
        self.bias = bias or self.bias
        for number, part in enumerate(self.parts):
            if part in factors:
                self.means[number] = factors[part].mean
                scale = CONSTANT if part == OFFSET else 1.0
                self.covariance[number][number] = max(factors[part].variance, 1e-4) / scale**2

    def kept(self, parts: Sequence[str]) -> list[tuple[int, int]]:
        """Return number here and number there of the parts that a stored state and the catalogue have."""
        return [(self.parts.index(part), number) for number, part in enumerate(parts) if part in self.parts]

    def restore_covariance(self, parts: Sequence[str], covariance: Matrix) -> None:
        """Continue with the covariance of a stored state; new parts start from the prior."""
        for row, packed_row in self.kept(parts):
            for column, packed_column in self.kept(parts):
                self.covariance[row][column] = covariance[packed_row][packed_column]

    def merge(self, new: StackingDelta) -> None:
        """Add the sums of further examples, then forget users: a block of fewer than 20 users goes."""
        sums = self.sums
        sums.examples += new.examples
        for part, residual in enumerate(new.residuals):
            sums.residuals[part] += residual
        for place, value in new.products.items():
            sums.products[place] += value
        residuals, slopes, squares = new.bias
        sums.bias_residuals += residuals
        sums.bias_slopes += slopes
        sums.bias_squares += squares
        for position in new.contributors:
            sums.contributors.add(position)
        if len(sums.contributors) < MIN_USERS and any(position in sums.contributors for position in new.forgotten):
            self.sums = Sums(len(self.parts))

    def release_if_due(self) -> bool:
        """Release the block if it has enough examples and users, and return whether it had."""
        sums = self.sums
        if sums.examples < max(FIRST_EXAMPLES, self.released) or len(sums.contributors) < FIRST_USERS:
            return False
        *found, bias = self.noisy_residuals()
        self._move(found)
        self._move_bias(bias)
        self.released += sums.examples
        self.sums = Sums(len(self.parts))
        return True

    def noisy_residuals(self) -> list[float]:
        """Return the sums of residuals with noise, fixed by the key and the sums: all that a release shows."""
        sums = self.sums
        residuals = list(sums.residuals)
        residuals.append(sums.bias_residuals)
        content = f"{self.released}|{sums.examples}|{residuals!r}".encode()
        return [
            residual + MAX_NORM * NOISE * standard_normal(self.key, b"%s|%s" % (part.encode(), content))
            for part, residual in zip([*self.parts, BIAS], residuals, strict=True)
        ]

    def _move_bias(self, found: float) -> None:
        sums, (mean, variance) = self.sums, self.bias
        slope = sums.bias_slopes
        if slope:
            uncertainty = (sums.bias_squares + (MAX_NORM * NOISE) ** 2) / slope**2
            gain = variance / (variance + uncertainty)
            self.bias = Gaussian(round(mean + gain * found / slope, 2) + 0.0, variance * (1.0 - gain))

    def _move(self, found: Sequence[float]) -> None:
        products, parts = self.sums.rows(), range(len(self.parts))
        slopes = [[SLOPE * one for one in row] for row in products]
        spread = product(slopes, self.covariance)
        uncertainty = [[_RESIDUAL_VARIANCE * one for one in row] for row in products]
        total = added(added(product(spread, slopes), uncertainty), identity(len(parts), (MAX_NORM * NOISE) ** 2))
        # The gain is covariance · slopes / total; all three are symmetric.
        gains = solved(total, spread)
        steps = [fsum(gains[row][number] * found[row] for row in parts) for number in parts]
        shrink = [[fsum(gains[row][one] * spread[row][other] for row in parts) for other in parts] for one in parts]
        self.covariance = [
            [before - less for before, less in zip(*rows, strict=True)]
            for rows in zip(self.covariance, shrink, strict=True)
        ]
        for number, step in enumerate(steps):
            scale = CONSTANT if number == 0 else 1.0
            self.means[number] = round(self.means[number] + scale * step, 2) + 0.0
