"""state/learning/signals: signals of decisions, of pins, and of users without a user model."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.learning.decisions import Beliefs, Decision, Finding, InContext, decide, find
from state.learning.feedback_piece import Form
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion, decode_version
from state.learning.prediction import NO_POPULATION, NOISE_VARIANCE
from state.learning.preferences import Preferences
from state.learning.side_sums import PER_WEIGHT
from state.learning.signal_text import SignalText
from state.learning.signals import learned_signal, population_signals, population_write
from state.learning.terms import BIAS_VARIANCE
from tacit.contract.signals import Signal, decode_signal, encode
from tests.state.learning.test_decisions import (
    APART,
    FILM_CATALOGUE,
    FORMAT,
    NORMAL,
    PROSE,
    TABLE,
    believing,
    lean_to,
    prior_of,
    sure,
)
from tests.support.factories import CATALOGUE, CATALOGUE_FILE, START_MS, make_observation
from tests.support.user_models import BIAS, set_mean

Reasons = tuple[tuple[str, int], ...]
"""Feedback kinds with counts."""


def population_signals_read(prior: Prior) -> dict[str, Signal]:
    """Return facet → the population's signal, as readers decode it."""
    return {name: decode_signal(text) for name, text in population_signals(prior, START_MS)}


def finding_of(slot: int, pieces: bytes, population: int = 0) -> Finding:
    """Return a finding for a value with a log of feedback."""
    return Finding(Decision(slot, slot, 0.5, 0), 0.5, 0.5, None, 0.0, 0.0, True, pieces, population, START_MS, 7)


def reasons(catalogue: NumberedCatalogue, slot: int, pieces: bytes) -> tuple[Reasons, Reasons]:
    """Return the reasons of a signal for and against its value."""
    signal = learned_signal(catalogue, finding_of(slot, pieces))
    return signal.why, signal.why_not


def signal_of(beliefs: Beliefs, facet: int = FORMAT) -> Signal:
    finding = find(beliefs, facet, decide(beliefs, facet), START_MS, 7)
    return learned_signal(beliefs.own.catalogue, finding)


def give(own: OwnBeliefs, counts: dict[str, int], slot: int = TABLE) -> None:
    """Log pieces of feedback on answers with one value."""
    for name, count in counts.items():
        kind = CATALOGUE.feedback[name]
        for _ in range(count):
            own.log.add(
                START_MS, CATALOGUE.feedback_index[name], Form.LIKE if kind.label else Form.DISLIKE, kind.weight,
                NO_POPULATION.mean, NO_POPULATION.variance, [slot], (),
            )  # fmt: skip


def test_learned_signal_holds_the_belief() -> None:
    """Every field of the contract."""
    beliefs = believing(0.25, 0.0, 0.5, -0.5)
    own = beliefs.own
    set_mean(own, BIAS, 0.125)
    give(own, {"thumbs_up": 5, "thumbs_down": 1})
    totals = own.row.array[own.row.at]["totals"]
    totals[2 * TABLE], totals[2 * TABLE + 1] = round(41.46 * PER_WEIGHT), round(2.51 * PER_WEIGHT)
    scale = (NOISE_VARIANCE + BIAS_VARIANCE + APART**2 / 2) ** 0.5
    confidence = round(sure(0.25 / APART), 3)
    p, second = NORMAL.cdf(0.625 / scale), NORMAL.cdf(0.375 / scale)
    signal = signal_of(beliefs)
    assert signal == Signal(
        v="1795305600000-0000000007",
        value="table",
        p=round(p, 3),
        confidence=confidence,
        tier="hint",
        source="learned",
        evidence=41.5,
        runner_up="prose",
        gap=round(p - second, 3),
        default="prose",
        explore=round(0.2 * (1 - sure(0.25 / APART)), 4),
        why=(("thumbs_up", 5),),
        against=2.5,
        why_not=(("thumbs_down", 1),),
        by="m3.c1.p0",
        at=START_MS,
    )
    assert decode_signal(encode(signal)) == signal
    assert encode(signal).startswith(b'{"v":"1795305600000-0000000007",')


def test_finding_keeps_the_numbers_of_its_moment() -> None:
    """It is put into words later, when the beliefs have moved on."""
    beliefs = believing(1, 0, 0, 0)
    finding = find(beliefs, FORMAT, decide(beliefs, FORMAT), START_MS, 7)
    before = learned_signal(CATALOGUE, finding)
    own = beliefs.own
    assert isinstance(own, Preferences)
    for _ in range(20):
        own.learn([PROSE], False, 1.0)
        give(own, {"thumbs_down": 1}, PROSE)
    assert learned_signal(CATALOGUE, finding) == before


def test_facet_with_several_values_is_not_explored() -> None:
    """Trying another one is not defined for it."""
    assert signal_of(believing(1, 0, 0, facet=0, catalogue=FILM_CATALOGUE), 0).explore == 0.0


@pytest.mark.parametrize(
    ("before", "after", "unsure", "sure"),
    [
        ("", "", 0.1, 0.2),
        ('title = "Format"', 'title = "Format"\nexplore = "hints"', 0.1, 0.0),
        ('title = "Format"', 'title = "Format"\nexplore = "never"', 0.0, 0.0),
        ('title = "Format"', 'title = "Format"\ncareful = true', 0.0, 0.0),
        ("schema = 1", "schema = 1\nexplore = false", 0.0, 0.0),
    ],
)
def test_catalogue_limits_the_exploration(before: str, after: str, unsure: float, sure: float) -> None:
    """Without a limit, a fifth of the doubt is explored: `sure` is the factor for a value of the tier `apply`."""
    catalogue = NumberedCatalogue.parse(CATALOGUE_FILE.read_text(encoding="utf-8").replace(before, after, 1))
    doubtful, certain = (believing(mean, 0, 0, 0, catalogue=catalogue) for mean in (0, 1.2))
    assert signal_of(doubtful).explore == unsure
    signal = signal_of(certain)
    assert signal.tier == "apply"
    assert signal.explore == pytest.approx(sure * (1 - (signal.confidence or 0)), abs=0.0002)


def test_signal_has_its_source_and_versions() -> None:
    """The source is the population until the user has evidence on the facet."""
    prior = prior_of(table=0.4)
    stranger = signal_of(believing(0, 0, 0, 0, prior=prior))
    assert (stranger.value, stranger.source, stranger.by) == ("table", "population", "m3.c1.p9")
    beliefs = believing(0, 0, 0, 0, prior=prior)
    give(beliefs.own, {"thumbs_down": 1}, PROSE)
    assert signal_of(beliefs).source == "learned"
    assert signal_of(believing(0, 0, 0, 0)).source == "learned"


def test_populations_choice_takes_the_place_of_the_catalogues_default() -> None:
    """The value must be better with enough confidence, by users' first feedback."""
    names = ("default:format=prose", "default:format=table")
    sure, unsure = (
        Prior(CATALOGUE, PopulationVersion(9, 1, 1, 1, {name: Gaussian(mean, 0.01) for name, mean in means}, {}, ()))
        for means in (zip(names, (0.0, 0.4), strict=True), zip(names, (0.0, 0.1), strict=True))
    )
    assert signal_of(believing(0, 0, 0, 0, prior=sure)).default == "table"
    assert signal_of(believing(0, 0, 0, 0, prior=unsure)).default == "prose"


def test_population_has_a_signal_of_every_facet() -> None:
    """Signals for users without a user model, under the version's number."""
    signals = population_signals_read(prior_of(table=0.4))
    assert list(signals) == list(CATALOGUE.facets)
    assert (signals["format"].value, signals["format"].v) == ("table", f"{START_MS}-0000000009")
    assert {signal.source for signal in signals.values()} == {"population"}
    assert {signal.evidence for signal in signals.values()} == {0.0}


def test_version_is_written_with_its_signals() -> None:
    """The published version, with its number and time."""
    published = PopulationVersion(9, 2, START_MS, 100, {"format=table": Gaussian(0.4, 0.01)}, {}, ())
    prior = Prior(CATALOGUE, published)
    write = population_write(prior, published)
    assert (write.n, write.at_ms, decode_version(write.version)) == (9, START_MS, published)
    assert dict(write.defaults) == dict(population_signals(prior, START_MS))
    assert list(dict(write.defaults)) == list(CATALOGUE.facets)


def test_chance_of_a_like_includes_population_and_user_model() -> None:
    """Main topics and the feedback count are included; each part has its factor."""
    terms = {"format=table": Gaussian(0.4, 0.02), "judged:0": Gaussian(0.9, 0.1), "judged:4": Gaussian(0.2, 0.05)}
    trust = {"offset": Gaussian(0.1, 0.0), "population": Gaussian(0.5, 0.0), "own": Gaussian(0.7, 0.0)}
    trust["own:format"] = Gaussian(2.0, 0.0)
    prior = Prior(CATALOGUE, PopulationVersion(9, 2, START_MS, 100, terms, trust, ()))
    beliefs = believing(-9.0, -9.0, 0.25, -9.0, prior=prior)
    set_mean(beliefs.own, BIAS, 0.125)
    beliefs.own.feedback_count = 7
    lean_to(beliefs, {TABLE: 0.3})
    mean = 0.1 + 0.5 * (0.4 + 0.2 + 0.3) + 0.7 * 0.125 + 2.0 * 0.25
    of_population = 0.1 + 0.05 + 0.02
    variance = NOISE_VARIANCE + of_population + BIAS_VARIANCE + APART**2 / 2
    signal = signal_of(beliefs)
    assert (signal.value, signal.p) == ("table", round(NORMAL.cdf(mean / variance**0.5), 3))


def test_without_a_version_strangers_get_the_catalogues_defaults() -> None:
    """Without a population version, the source is not the population."""
    signals = population_signals_read(Prior(CATALOGUE))
    assert {name: signal.value for name, signal in signals.items()} == {
        name: facet.default for name, facet in CATALOGUE.facets.items()
    }
    emitted = {(s.source, s.by, s.tier, s.p, s.confidence, s.gap, s.why, s.drift_at) for s in signals.values()}
    assert emitted == {("learned", "m3.c1.p0", "default", 0.5, 0.5, 0.0, (), None)}


def reasons_of(counts: dict[str, int]) -> tuple[Reasons, Reasons]:
    """Return the reasons for and against `table` after some feedback on it."""
    own = Preferences(CATALOGUE)
    give(own, counts)
    return reasons(CATALOGUE, TABLE, own.log.snapshot())


def test_reasons_are_ordered_by_weight_and_count() -> None:
    """The heaviest come first, with plain counts, for the value and against it."""
    supporting, opposing = reasons_of({"thumbs_up": 1, "copied": 4, "thumbs_down": 2})
    assert supporting == (("copied", 4), ("thumbs_up", 1))
    assert opposing == (("thumbs_down", 2),)


def test_three_kinds_are_reasons_at_most() -> None:
    """Equal weights are ordered by name, so equal states give equal signals."""
    likes = [name for name, kind in CATALOGUE.feedback.items() if kind.label]
    heaviest = sorted(likes, key=lambda name: (-CATALOGUE.feedback[name].weight, name))
    supporting, _ = reasons_of(dict.fromkeys(likes, 1))
    assert [name for name, _ in supporting] == heaviest[:3]


def test_nothing_happened_is_no_reason() -> None:
    """Kinds that never occurred are not named."""
    assert reasons(CATALOGUE, TABLE, Preferences(CATALOGUE).log.snapshot()) == ((), ())


def test_reasons_are_about_the_value() -> None:
    """Feedback on another value of the facet is no reason, unless it compares both."""
    own, index = Preferences(CATALOGUE), CATALOGUE.slot_index["length"]
    for served, feedback in (("detailed", "shorter"), ("concise", "thumbs_up")):
        o = make_observation(served={"length": served}, feedback=feedback)
        own.learn_feedback(o, CATALOGUE.feedback[feedback], 1.0, Prior(CATALOGUE))
    found = {value: reasons(CATALOGUE, slot, own.log.snapshot()) for value, slot in index.items()}
    assert found["concise"] == ((("thumbs_up", 1),), ())
    assert found["balanced"] == ((("shorter", 1),), ())
    assert found["detailed"] == ((), (("shorter", 1),))


def test_versions_are_of_model_catalogue_and_population() -> None:
    """The format of `by` is pinned."""
    pieces = Preferences(CATALOGUE).log.snapshot()
    assert learned_signal(CATALOGUE, finding_of(TABLE, pieces, 12)).by == "m3.c1.p12"


@given(
    st.tuples(*[st.floats(0.5, 1)] * 2),
    st.floats(0, 1),
    st.floats(0, 300),
    st.sampled_from([None, PROSE, TABLE]),
    st.booleans(),
)
def test_text_is_the_encoded_signal(
    sure: tuple[float, float], liked: float, weight: float, default: int | None, explores: bool
) -> None:
    """The written bytes are those of the contract's encoder, member by member."""
    own = Preferences(CATALOGUE)
    give(own, {"thumbs_up": 2, "copied": 1, "thumbs_down": 1})
    there = tuple(InContext(key, Decision(PROSE, TABLE, sure[1], 1)) for key in list(CATALOGUE.context_names)[:2])
    finding = Finding(
        Decision(TABLE, PROSE, sure[0], 1), liked, 1 - liked, default, weight, weight / 3, True, own.log.snapshot(), 5,
        START_MS, 7, there,
    )  # fmt: skip
    text = SignalText(CATALOGUE).json(finding, explores)
    signal = decode_signal(text)
    assert text == encode(signal)
    assert (signal.p, signal.confidence) == (round(liked, 3), round(sure[0], 3))
    assert explores or signal.explore == 0.0
