"""Random catalogues and population versions, of a small pool of names, so that names leave and return."""

from collections.abc import Sequence
from random import Random
from typing import Any, NamedTuple

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.learning.population_version import Gaussian, PopulationVersion


class Pool(NamedTuple):
    """Names of facets and values."""

    facets: Sequence[str]
    values: Sequence[str]


SMALL = Pool(("length", "tone", "format", "genre"), tuple("abcde"))
MEDIUM = Pool([f"facet-{number}" for number in range(12)], tuple("abcdefghi"))
LARGE = Pool([f"facet-{number}" for number in range(64)], tuple("abcdef"))
"""More facets and values than a machine word has bits."""
POOLS = [SMALL] * 50 + [MEDIUM] * 8 + [LARGE]

TOPICS = ("code", "data", "mail", "plan", "film", "sick", "bank")
SURFACES = ("chat", "editor", "voice")
LABELS = {"liked": True, "copied": True, "disliked": False, "edited": False}
MOVES = {"more": "up", "less": "down"}
WEIGHTS = (1.0, 0.6, 0.5, 0.4, 0.333, 0.004)


def some(random: Random, names: Sequence[str], least: int) -> list[str]:
    """Return some names in any order."""
    return random.sample(names, random.randint(least, len(names)))


class CatalogueFile:
    """A catalogue's file that changes; the numbers of names stay."""

    def __init__(self, random: Random) -> None:
        self._random = random
        self._vocabulary = Vocabulary()
        self._pool = random.choice(POOLS)
        self._facets = {name: self._facet() for name in some(random, self._pool.facets, 1)}
        self._topics, self._surfaces = self._new_topics(), some(random, SURFACES, 0)
        self._weights = {kind: random.choice(WEIGHTS) for kind in (*LABELS, *MOVES)}
        self._kinds = [*LABELS, *MOVES]
        self._consent = random.choice(["granted", "granted", "granted", "required"])
        self._version = random.randint(1, 9)
        self._share = random.choice([0.0, 0.0, 0.1])

    def _facet(self) -> dict[str, Any]:
        random = self._random
        values, shape = some(random, self._pool.values, 2), random.choice(["ordered", "ordered", "multiple", "single"])
        facet: dict[str, Any] = {"title": "Facet", "values": values}
        if shape != "single":
            facet[shape] = True
        if random.random() < 0.5:
            facet["default"] = random.choice(values)
        if random.random() < 0.2:
            facet["careful"] = True
        return facet | {"explore": random.choice(["free", "free", "hints", "never"])}

    def _new_topics(self) -> dict[str, Any]:
        topics = some(self._random, TOPICS, 0)
        return {"values": topics, "sensitive": topics[: self._random.choice([0, 0, 1, 2])]}

    def change(self) -> None:
        """Change one part of the file."""
        random = self._random
        match random.randint(0, 6):
            case 0 | 1:
                self._facets[random.choice(self._pool.facets)] = self._facet()
            case 2:
                kept = some(random, list(self._facets), 1)
                self._facets = {name: self._facets[name] for name in kept}
            case 3:
                self._topics = self._new_topics()
            case 4:
                self._surfaces = some(random, SURFACES, 0)
            case 5:
                self._kinds = some(random, [*LABELS, *MOVES], 1)
                self._weights[random.choice(self._kinds)] = random.choice(WEIGHTS)
            case _:
                self._consent, self._version = random.choice(["granted", "required"]), random.randint(1, 9)

    def numbered(self) -> NumberedCatalogue:
        """Return the catalogue in the file."""
        ordered = [name for name, facet in self._facets.items() if facet.get("ordered")]
        kinds: dict[str, Any] = {kind: {"label": label} for kind, label in LABELS.items()}
        if ordered:
            kinds |= {kind: {"moves": dict.fromkeys(ordered, direction)} for kind, direction in MOVES.items()}
        document = {
            "schema": 1,
            "version": self._version,
            "explore": self._version > 1,
            "consent": {"default": self._consent},
            "holdout": {"share": self._share},
            "facets": self._facets,
            "topics": self._topics,
            "surfaces": {"values": self._surfaces},
            "feedback": {kind: kinds[kind] | {"weight": self._weights[kind]} for kind in self._kinds if kind in kinds},
        }
        catalogue = msgspec.convert(document, NumberedCatalogue)
        self._vocabulary = self._vocabulary.including(catalogue)
        return catalogue.numbered(self._vocabulary)


def population_version(random: Random, number: int, catalogue: NumberedCatalogue, items: int) -> PopulationVersion:
    """Return a version with beliefs about some features."""
    values = [f"{name}={value}" for name, facet in catalogue.facets.items() for value in facet.values]
    contexts = [f"topic:{name}" for name in catalogue.topics.values]
    contexts += [f"surface:{name}" for name in catalogue.surfaces.values]
    item_names = [f"item:{item:08x}" for item in range(1, items)]
    features = ["bias", *values, *item_names, *(f"{context}&{value}" for context in contexts for value in values)]
    features += [f"{one}&{other}" for one in values for other in values if one != other]
    features += [f"{kind}:{step}" for kind in ("judged", "popularity") for step in range(8)]
    features += [f"default:{value}" for value in values]
    share, size = random.choice([0.1, 0.5, 0.9]), random.choice([0.05, 0.3, 1.0])
    chosen = {name: gaussian(random, size) for name in features if random.random() < share}
    if random.random() < 0.5:
        chosen |= {f"sure:{step}": gaussian(random, 0.2) for step in range(3)}
    parts = ["offset", "population", "own", *(f"own:{name}" for name in catalogue.facets)]
    factors = {part: Gaussian(random.choice([1.0, 0.0, 1.4, 0.7]), 0.01) for part in parts if random.random() < 0.6}
    silent = tuple(name for name in catalogue.facets if random.random() < 0.2)
    popularity = {name: random.randint(1, 7) for name in item_names if name in chosen}
    return PopulationVersion(number, 3, 0, 1_000, chosen, factors, silent, None, popularity)


def gaussian(random: Random, size: float) -> Gaussian:
    """Return a belief with a mean of up to `size`."""
    return Gaussian(random.uniform(-size, size), random.choice([0.0001, 0.01, 0.05]))
