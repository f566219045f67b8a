"""tacit/contract/document_errors: a problem names the entry, and a choice its allowed values."""

import pytest

from tacit.contract.catalogue import Facet
from tacit.contract.document_errors import explained

TONE = {"title": "Tone", "values": ["a"]}


@pytest.mark.parametrize(
    ("facets", "problem"),
    [
        ({"tone": TONE, "length": 3}, "Expected `object`, got `int` - at `$.facets.length`"),
        ({"tone": {"title": "Tone", "values": "a"}}, "Expected `array`, got `str` - at `$.facets.tone.values`"),
        (
            {"tone": {"title": "Tone", "values": ["a", "b"], "explore": "no"}},
            "Invalid enum value 'no' - at `$.facets.tone.explore`; allowed are never, free",
        ),
    ],
)  # fmt: skip
def test_entry_is_named(facets: dict[str, object], problem: str) -> None:
    """The library writes `[...]` in place of the name; the first entry with a problem counts."""
    text = "Invalid enum value 'no' - at `$.facets[...].explore`"
    assert explained({"facets": facets}, text, {"facets": Facet}, {"explore": ("never", "free")}) == problem


def test_other_problems_stay_as_they_are() -> None:
    """Outside the tables nothing is looked up."""
    assert explained({}, "Expected `int`", {"facets": Facet}, {}) == "Expected `int`"
