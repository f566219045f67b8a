"""state/learning/evidence_removal, against users who never gave the removed feedback."""

import random
from collections.abc import Iterator, Sequence
from statistics import median, quantiles

import pytest

from state.events.observation import Observation
from state.learning.decisions import Beliefs, decide
from state.learning.evidence_removal import Removal, Removed, remove
from state.learning.feedback_piece import Side
from state.learning.population_prior import Prior
from state.learning.preferences import Preferences
from state.row.layout import MAX_PIECES
from tests.support.factories import CATALOGUE, START_MS, make_observation
from tests.support.user_models import all_means, all_variances

WEEK_MS = 7 * 24 * 3_600_000
"""Moods pass in a week."""

PRIOR = Prior(CATALOGUE)
FACETS = range(len(CATALOGUE.facet_names))
LIKES, DISLIKES = ("thumbs_up", "copied", "accepted"), ("thumbs_down", "regenerated")
DIRECTED = ("shorter", "longer", "simpler", "deeper")


def history(seed: int, pieces: int) -> list[Observation]:
    """Return the feedback of a user who mostly likes the preferred values."""
    rng = random.Random(seed)
    values = {name: facet.values for name, facet in CATALOGUE.facets.items()}
    preferred = {name: rng.choice(each) for name, each in values.items()}
    found = []
    for n in range(pieces):
        served = {name: rng.choice(each) for name, each in values.items()}
        likes = rng.random() < 0.25 + 0.15 * sum(served[name] == preferred[name] for name in served)
        kinds = DIRECTED if rng.random() < 0.15 else LIKES if likes else DISLIKES
        found.append(make_observation(START_MS + WEEK_MS * n, served=served, feedback=rng.choice(kinds)))
    return found


def learned(history: Sequence[Observation]) -> Preferences:
    own = Preferences(CATALOGUE)
    for o in history:
        kind = CATALOGUE.feedback_kinds[o.feedback]
        own.learn_feedback(o, kind, kind.weight, PRIOR)
    return own


def sides(o: Observation) -> dict[int, Side]:
    """Return value → side of an event, by the catalogue."""
    kind = CATALOGUE.feedback_kinds[o.feedback]
    if kind.label is not None:
        return dict.fromkeys(o.slots, Side.FOR if kind.label else Side.AGAINST)
    pairs = [
        (slot, next_slots[slot])
        for move in kind.moves.items()
        for next_slots in [CATALOGUE.next_slots[move]]
        for slot in o.slots
        if slot in next_slots
    ]
    return {slot: side for served, better in pairs for slot, side in ((better, Side.FOR), (served, Side.AGAINST))}


def cases(seeds: range, shortest: int, longest: int) -> Iterator[tuple[Removal, Preferences, Preferences, Removed]]:
    """Yield removal, user, a user who never gave the feedback, and the user without it."""
    for seed in seeds:
        events = history(seed, random.Random(-seed).randint(shortest, longest))
        own = learned(events)
        for facet in FACETS:
            removal_slot = decide(Beliefs(own, PRIOR), facet).slot
            for side in Side:
                removal = Removal(facet, removal_slot, side)
                never = [o for o in events if sides(o).get(removal_slot) is not side]
                if len(never) < len(events):
                    yield removal, own, learned(never), remove(own, removal)


def test_short_history_is_exact() -> None:
    """With all pieces in the log, decision and beliefs are those of the other user, up to half floats."""
    for removal, _, never, removed in cases(range(30), 2, MAX_PIECES):
        assert removed.basis == "exact"
        assert all_means(removed.own) == pytest.approx(all_means(never), abs=5e-4)
        assert all_variances(removed.own) == pytest.approx(all_variances(never), abs=5e-4)
        found, expected = (decide(Beliefs(own, PRIOR), removal.facet) for own in (removed.own, never))
        assert found.slot == expected.slot
        assert found.confidence == pytest.approx(expected.confidence, abs=1e-3)


def test_long_history_is_close() -> None:
    """Of 10 to 70 pieces: nine in ten values are the same, and the mean of the value differs by 0.03 (median)."""
    same, errors, untouched = [], [], []
    for removal, own, never, removed in cases(range(60), 10, 70):
        assert removed.basis == "sums"
        now, then = (decide(Beliefs(each, PRIOR), removal.facet) for each in (removed.own, never))
        same.append(now.slot == then.slot)
        mean, expected = removed.own.value(removal.slot)[0], never.value(removal.slot)[0]
        errors.append(abs(mean - expected))
        untouched.append(abs(own.value(removal.slot)[0] - expected))
    assert len(same) > 500
    assert sum(same) / len(same) > 0.88
    assert median(errors) < 0.04
    assert quantiles(errors, n=10)[-1] < 0.13
    assert median(untouched) > 5 * median(errors)


@pytest.mark.parametrize("seed", range(5))
def test_all_evidence_on_a_facet_leaves_the_prior(seed: int) -> None:
    """However long the history is, nothing of the facet is left."""
    own = learned(history(seed, 50))
    for facet in FACETS:
        removed = remove(own, Removal(facet, CATALOGUE.facet_slots[facet][0], None))
        new = Preferences(CATALOGUE)
        assert decide(Beliefs(removed.own, PRIOR), facet) == decide(Beliefs(new, PRIOR), facet)
        assert removed.earlier > 0


def test_feedback_from_before_the_log_stays() -> None:
    """It is in no sum, so only pieces of the log are removed, and the basis reports that."""
    own = learned(history(1, 30))
    own.row.array["uncounted"] = 1
    removed = remove(own, Removal(0, CATALOGUE.facet_slots[0][0], Side.FOR))
    assert removed.basis == "partial"


def test_removal_changes_nothing() -> None:
    """The user model stays as it is."""
    own, same = learned(history(2, 30)), learned(history(2, 30))
    remove(own, Removal(0, CATALOGUE.facet_slots[0][0], Side.FOR))
    assert own.row.read() == same.row.read()
