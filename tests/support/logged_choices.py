"""Served values of simulated events, logged as choices of an assistant."""

import json
from random import Random
from typing import Any

from tests.support.factories import CATALOGUE


def with_choice(line: bytes, random: Random) -> bytes:
    """Return a record whose served values are logged as a choice, some of them tried."""
    try:
        event: dict[str, Any] = json.loads(line)
        served = {facet: value for facet, value in event.get("served", {}).items() if isinstance(value, str)}
    except (ValueError, AttributeError):
        return line
    chosen = []
    for facet, value in served.items():
        others = (
            [other for other in CATALOGUE.facets[facet].values if other != value] if facet in CATALOGUE.facets else []
        )
        if others:
            tried = random.random() < 0.3
            chosen.append(
                {"facet": facet, "value": value, "version": None, "propensity": 0.06 if tried else 0.92}
                | {"runner_up": value if tried else others[0]}
            )
    return json.dumps(event | {"acted_on": chosen}).encode() if chosen else line
