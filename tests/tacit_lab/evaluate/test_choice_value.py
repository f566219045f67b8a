"""Value of the choices of two models, from logged choices."""

from array import array
from hashlib import blake2b
from random import Random

import pytest
from msgspec.structs import replace

from state.learning.bucketed import bucket_of
from state.learning.candidate import ALL
from state.learning.example import Example, Logged
from tacit_lab.evaluate.choice_value import ChoiceValue, logged_choices, of_predictions, of_signals
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE

FIRST, SECOND = 0, 1
"""Two values of the first facet."""
DEFAULTS = CATALOGUE.default_slots


def answer(number: int, slot: int, *, liked: bool = True, signal: int = FIRST, opens: bool = True) -> Example:
    """Return an answer in which one of two values was served at random; the user's signal is another matter."""
    signals = array("h", [-1] * len(CATALOGUE.facet_names))
    signals[0] = signal
    logged = Logged(acted=[(slot, 0.5, SECOND if slot == FIRST else FIRST)], signals=signals.tobytes(), opens=opens)
    user = blake2b(str(number).encode(), digest_size=16).digest()
    return replace(make_example(liked=liked, slots=(slot,)), user=user, logged=logged)


def history(n: int = 4_000) -> list[Example]:
    """Return answers of which the first value is liked by 80 %, the second by 30 %."""
    random = Random(3)
    slots = [random.randrange(2) for _ in range(n)]
    return [answer(n, slot, liked=random.random() < (0.8 if slot == FIRST else 0.3)) for n, slot in enumerate(slots)]


def test_difference_is_that_of_the_values_which_each_model_would_serve() -> None:
    """The deployed model has a signal for the first value, the other one predicts more for the second."""
    value = ChoiceValue(CATALOGUE, CATALOGUE)
    for e in history():
        first = of_signals(e, CATALOGUE, DEFAULTS)
        value.add(first, of_predictions(e, CATALOGUE, lambda other: 0.9 if other.slots == [SECOND] else 0.1))
    found = value.differences()
    assert list(found) == [ALL, CATALOGUE.facet_names[0]]
    for each in found.values():
        assert each.suffices
        assert each.rate == pytest.approx(0.3, abs=0.03)
        assert each.other == pytest.approx(0.8, abs=0.03)
        assert each.interval[0] < -0.5 < each.interval[1]


def test_same_choices_have_no_difference() -> None:
    """The interval is about 0."""
    value = ChoiceValue(CATALOGUE, CATALOGUE)
    for e in history(500):
        own = of_signals(e, CATALOGUE, DEFAULTS)
        value.add(own, own)
    assert all(each.difference == 0.0 for each in value.differences().values())


def test_user_without_a_signal_would_be_served_the_default() -> None:
    """A facet without a default has no value."""
    e = answer(1, FIRST, signal=-1)
    found = of_signals(e, CATALOGUE, [SECOND, *DEFAULTS[1:]])
    assert found is not None
    assert (found.bucket, found.liked, found.own) == (bucket_of(e.user), True, {0: SECOND})


def test_only_the_first_answer_of_a_conversation_counts() -> None:
    """Neither does an answer without logged choices, nor one that only one model has."""
    later, plain = answer(1, FIRST, opens=False), make_example()
    assert [logged_choices(e, CATALOGUE) for e in (later, plain)] == [{}, {}]
    assert of_signals(later, CATALOGUE, DEFAULTS) is None
    assert of_predictions(plain, CATALOGUE, lambda e: e.p) is None
    value = ChoiceValue(CATALOGUE, CATALOGUE)
    value.add(of_signals(answer(1, FIRST), CATALOGUE, DEFAULTS), None)
    assert value.differences()[ALL].n == 0


def test_other_facets_stay_as_they_were_served() -> None:
    """A model chooses one facet at a time."""
    tone = CATALOGUE.facet_slots[CATALOGUE.facet_index["tone"]][0]
    seen: list[list[int]] = []
    e = replace(answer(1, FIRST), slots=(FIRST, tone))

    def predict(other: Example) -> float:
        seen.append(list(other.slots))
        return 0.5

    of_predictions(e, CATALOGUE, predict)
    assert seen == [sorted([slot, tone]) for slot in CATALOGUE.facet_slots[0]]
