"""state/user/sent: what was said, so that only news is said."""

from hypothesis import given
from hypothesis import strategies as st

from state.learning.decisions import Decision
from state.user.sent import Sent
from tests.support.factories import START_MS

FIRST = Decision(slot=2, runner_up=1, confidence=0.7, tier=1)
LATER_MS = START_MS + 1000


def sent_first() -> Sent:
    sent = Sent(facets=3)
    sent.record(0, FIRST, START_MS)
    return sent


def test_first_decision_is_news() -> None:
    """Whatever it is."""
    assert Sent(facets=3).is_news(0, FIRST)


def test_same_decision_is_no_news() -> None:
    """Nothing is written when nothing changed; another facet's news stays its own."""
    assert not sent_first().is_news(0, FIRST)
    assert sent_first().is_news(1, FIRST)


def test_other_value_or_tier_is_news() -> None:
    """Another runner-up alone is none."""
    assert sent_first().is_news(0, FIRST._replace(slot=1))
    assert sent_first().is_news(0, FIRST._replace(tier=2))
    assert not sent_first().is_news(0, FIRST._replace(runner_up=0))


def test_confidence_that_moved_by_5_hundredths_is_news() -> None:
    """In either direction."""
    for moved, is_news in ((0.049, False), (0.051, True), (-0.049, False), (-0.051, True)):
        assert sent_first().is_news(0, FIRST._replace(confidence=0.7 + moved)) is is_news


def test_small_steps_add_up_to_news() -> None:
    """Compared is what was sent, not what was decided last."""
    sent = sent_first()
    news = [step for step in range(1, 11) if sent.is_news(0, FIRST._replace(confidence=0.7 + step / 100))]
    assert news == [5, 6, 7, 8, 9, 10]


def test_retracted_facet_is_news_again() -> None:
    """And is not due: there is nothing to repeat."""
    sent = sent_first()
    sent.retract(0)
    assert sent.is_news(0, FIRST)
    assert sent.due(LATER_MS) == []


def test_due_are_those_sent_before() -> None:
    """Not those sent at that time or after."""
    sent = sent_first()
    sent.record(1, FIRST, START_MS + 5)
    assert sent.due(START_MS) == []
    assert sent.due(START_MS + 1) == [0]
    assert sent.due(START_MS + 6) == [0, 1]


@given(
    st.lists(
        st.tuples(st.sampled_from(["record", "retract", "due"]), st.integers(0, 2), st.integers(1, 100)), max_size=30
    )
)
def test_due_agrees_with_a_dict_of_times(steps: list[tuple[str, int, int]]) -> None:
    """The shortcut over the oldest time loses nothing: as the state does, whatever is due is recorded anew."""
    sent, times = Sent(facets=3), dict[int, int]()
    for step, facet, at_ms in steps:
        if step == "record":
            sent.record(facet, FIRST, at_ms)
            times[facet] = at_ms
        elif step == "retract":
            sent.retract(facet)
            times.pop(facet, None)
        else:
            due = sent.due(at_ms)
            assert due == sorted(facet for facet, sent_ms in times.items() if sent_ms < at_ms)
            for facet in due:
                sent.record(facet, FIRST, at_ms)
                times[facet] = at_ms
