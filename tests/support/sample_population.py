"""Population versions for tests."""

import msgspec

from state.learning.population_version import Gaussian, PopulationVersion, PopulationWrite, encode_version
from tacit.contract.signals import encode
from tests.support.sample_signals import NOW_MS, signal


def version(n: int, at_ms: int = NOW_MS) -> PopulationVersion:
    """Return a version; a higher number means a stronger preference for short answers."""
    features = {"bias": Gaussian(0.3, 0.01), "length=concise": Gaussian(n / 100, 0.02)}
    stacking = {"offset": Gaussian(0.0, 0.001), "population": Gaussian(1.0, 0.01)}
    return PopulationVersion(n, 1, at_ms, 1000 * n, features, stacking, ())


def write(n: int, at_ms: int = NOW_MS, facets: tuple[str, ...] = ("length", "tone")) -> PopulationWrite:
    """Return the write of `version`; the member `by` of its defaults has the number."""
    default = msgspec.structs.replace(
        signal("concise", at_ms, n, source="population", default="concise"), by=f"m1.c1.p{n}"
    )
    defaults = tuple((name, encode(default)) for name in facets)
    return PopulationWrite(n, at_ms, 1000 * n, encode_version(version(n, at_ms)), defaults)
