"""tacit/reader/preferred: the best value of a facet in a context, before exploration."""

import pytest
from msgspec.structs import replace

from tacit.contract.catalogue import Exploration, Facet
from tacit.contract.signals import ContextValue, Tier
from tacit.reader.preferred import Preferred, contexts_of, preferred, preferred_by_population
from tests.support.sample_signals import NOW_MS, signal

LENGTHS = ("concise", "balanced", "detailed")
LENGTH = Facet("Length", LENGTHS, default="balanced")
CAREFUL = replace(LENGTH, careful=True)
IN_MAIL = ContextValue("topic:email", "detailed", 0.75, "hint", "balanced")
BY_VOICE = ContextValue("surface:voice", "balanced", 0.6, "default", "concise")
LEARNED = replace(signal("concise", NOW_MS, explore=0.028), runner_up="balanced", contexts=(IN_MAIL, BY_VOICE))


class TestOwnSignal:
    """A user with an own signal."""

    @pytest.mark.parametrize("tier", ["default", "hint", "apply"])
    def test_value_counts_with_any_tier(self, tier: Tier) -> None:
        """A default in place of an unsure value teaches nothing."""
        best = preferred(LENGTH, replace(LEARNED, tier=tier), ())
        assert best == Preferred("concise", "balanced", 0.028, LEARNED.v, tier)

    @pytest.mark.parametrize(("tier", "value"), [("default", "balanced"), ("hint", "concise"), ("apply", "concise")])
    def test_tier_decides_on_a_careful_facet_and_nothing_is_tried(self, tier: Tier, value: str) -> None:
        """An assistant that acts without permission is worse than one that never tries."""
        best = preferred(CAREFUL, replace(LEARNED, tier=tier), ())
        assert best is not None
        assert (best.value, best.explore, best.strength) == (value, 0.0, tier)

    def test_careful_facet_without_a_default_is_left_out(self) -> None:
        """An unsure value is not served."""
        assert preferred(CAREFUL, replace(LEARNED, tier="default", default=None), ()) is None

    @pytest.mark.parametrize(
        ("contexts", "value", "explore", "strength"),
        [
            (("topic:email",), "detailed", 0.05, "hint"),
            (("topic:email", "surface:voice"), "detailed", 0.05, "hint"),
            (("topic:code", "surface:voice"), "balanced", 0.08, "default"),
            (("topic:code", "surface:chat"), "concise", 0.028, "apply"),
        ],
    )
    def test_topic_comes_before_surface_and_surface_before_the_average(
        self, contexts: tuple[str, ...], value: str, explore: float, strength: str
    ) -> None:
        """The doubt is that of the context."""
        best = preferred(LENGTH, LEARNED, contexts)
        assert best is not None
        assert (best.value, best.strength) == (value, strength)
        assert best.explore == pytest.approx(explore)

    def test_signal_without_the_users_evidence_has_the_strength_of_a_default(self) -> None:
        """Nothing is known of the user in this facet."""
        best = preferred(LENGTH, replace(LEARNED, source="population"), ())
        assert best is not None
        assert (best.value, best.strength) == ("concise", "default")

    @pytest.mark.parametrize(
        ("explore", "multiple", "tier", "expected"),
        [
            ("free", False, "apply", 0.028),
            ("free", True, "hint", 0.0),
            ("hints", False, "apply", 0.0),
            ("hints", False, "hint", 0.028),
            ("never", False, "default", 0.0),
        ],
    )
    def test_catalogue_limits_the_exploration(
        self, explore: Exploration, multiple: bool, tier: Tier, expected: float
    ) -> None:
        """The catalogue of the reader holds, as the worker may have an older one."""
        best = preferred(Facet("L", LENGTHS, explore=explore, multiple=multiple), replace(LEARNED, tier=tier), ())
        assert best is not None
        assert best.explore == expected

    def test_pin_holds_in_every_context(self) -> None:
        """Nothing else is served, and nothing is tried."""
        pin = replace(LEARNED, source="user")
        assert preferred(LENGTH, pin, ("topic:email",)) == Preferred("concise", None, 0.0, pin.v, "pin")


class TestPopulationsSignal:
    """A user without an own signal."""

    POPULATION = replace(LEARNED, source="population", contexts=())

    def test_default_is_served_and_the_best_value_is_tried_first(self) -> None:
        """The population's default replaces the catalogue's only where it is better with enough confidence."""
        best = preferred_by_population(LENGTH, self.POPULATION, ())
        assert best == Preferred("balanced", "concise", 0.028, None, "default")

    def test_runner_up_is_tried_where_the_best_value_is_the_default(self) -> None:
        """As for a user with signals."""
        best = preferred_by_population(LENGTH, replace(self.POPULATION, default="concise"), ())
        assert best == Preferred("concise", "balanced", 0.028, None, "default")

    @pytest.mark.parametrize(("tier", "value"), [("apply", "concise"), ("hint", "concise"), ("default", None)])
    def test_facet_without_a_default_has_a_value_from_the_tier_hint_on(self, tier: Tier, value: str | None) -> None:
        """Else the facet is left out."""
        best = preferred_by_population(LENGTH, replace(self.POPULATION, tier=tier, default=None), ())
        assert (None if best is None else best.value) == value

    def test_context_counts(self) -> None:
        """The population's value on the topic."""
        best = preferred_by_population(LENGTH, replace(self.POPULATION, contexts=(IN_MAIL,)), ("topic:email",))
        assert best is not None
        assert best[:2] == ("detailed", "balanced")
        assert best.explore == pytest.approx(0.05)

    @pytest.mark.parametrize(("tier", "value"), [("hint", "balanced"), ("apply", "detailed")])
    def test_careful_facet_differs_by_context_at_the_tier_apply_alone(self, tier: Tier, value: str) -> None:
        """The population's hint is not enough."""
        there = replace(self.POPULATION, contexts=(IN_MAIL._replace(tier=tier),))
        best = preferred_by_population(CAREFUL, there, ("topic:email",))
        assert best is not None
        assert (best.value, best.explore) == (value, 0.0)


@pytest.mark.parametrize(
    ("topic", "surface", "expected"),
    [
        (None, None, ()),
        ("email", None, ("topic:email",)),
        (None, "chat", ("surface:chat",)),
        ("email", "chat", ("topic:email", "surface:chat")),
    ],
)
def test_contexts_have_the_names_of_signals(topic: str | None, surface: str | None, expected: tuple[str, ...]) -> None:
    """The topic comes first."""
    assert contexts_of(topic, surface) == expected
