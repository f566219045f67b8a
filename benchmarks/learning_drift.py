"""Figures of drift detection: how often and how soon a simulated change of taste is flagged."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

from benchmarks.learning_figures import Figure, share_of
from benchmarks.learning_path import EmittedSignal, Prediction
from tacit_lab.simulate import Truth

SOON = 25
"""Number of feedbacks after a change of taste."""


class FeedbackCounts(NamedTuple):
    """Numbers of a user's feedbacks before and after the start of the change of taste."""

    before: int
    after: int


class TasteChange(NamedTuple):
    """An abrupt change of a user's best value of a facet."""

    user_id: str
    facet: str
    counts: FeedbackCounts
    best_before: str
    best: str
    """Best value since the change."""


class TasteChanges:
    """Emitted signals and feedback counts of all users without a wipe, by user and facet."""

    def __init__(self, predictions: Iterable[Prediction], emitted: Iterable[EmittedSignal], truth: Truth) -> None:
        self._truth = truth
        self.emitted: dict[tuple[str, str], list[EmittedSignal]] = defaultdict(list)
        """(User id, facet) → emitted signals in order."""
        for signal in emitted:
            self.emitted[signal.user_id, signal.facet].append(signal)
        times: dict[str, list[int]] = defaultdict(list)
        for prediction in predictions:
            times[prediction.user_id].append(prediction.at_ms)
        users = {user_id: truth.users[user_id] for user_id in times}
        self.never_wiped = {user_id: user for user_id, user in users.items() if user.wiped_at() is None}
        self.counts: dict[str, FeedbackCounts] = {}
        """By user id; without a change of taste, all feedback is `before`."""
        for user_id, user in self.never_wiped.items():
            all_times = sorted(times[user_id])
            before = len(all_times) if user.change == "none" else bisect_left(all_times, user.change_at)
            self.counts[user_id] = FeedbackCounts(before, len(all_times) - before)

    def changed(self) -> Iterator[TasteChange]:
        """Return abrupt changes of a best value with feedback before and after; pinned facets are left out."""
        for user_id, user in self.never_wiped.items():
            counts = self.counts[user_id]
            if user.change != "abrupt" or not counts.before or not counts.after:
                continue
            pinned = {pin.facet for pin in user.pins}
            for facet, bests in self._truth.changed(user_id).items():
                if facet not in pinned:
                    yield TasteChange(user_id, facet, counts, *bests)

    def flags(self, user_id: str, facet: str) -> list[int]:
        """Return the user's number of feedbacks at each flagged change."""
        first: dict[int, int] = {}
        for emitted in self.emitted.get((user_id, facet), ()):
            if emitted.signal.drift_at is not None:
                first.setdefault(emitted.signal.drift_at, emitted.feedback_count)
        return list(first.values())

    def values(self, user_id: str, facet: str, first: int, last: int) -> list[str]:
        """Return the values preferred between a user's feedbacks number `first` and `last`, in order."""
        emitted = self.emitted.get((user_id, facet), [])
        before = [one.signal.value for one in emitted if one.feedback_count <= first]
        return before[-1:] + [one.signal.value for one in emitted if first < one.feedback_count <= last]

    def false_flags(self) -> tuple[int, int]:
        """Return the number of flags without a change of taste, and the number of feedbacks in that time."""
        flags = sum(
            flag <= self.counts[user_id].before
            for user_id, facet in self.emitted
            if user_id in self.counts
            for flag in self.flags(user_id, facet)
        )
        return flags, sum(counts.before for counts in self.counts.values())


def drift_figures(predictions: Iterable[Prediction], emitted: Iterable[EmittedSignal], truth: Truth) -> list[Figure]:
    """Return the shares of flagged and relearned changes of taste, the delay of flags, and the rate of false flags."""
    changes = TasteChanges(predictions, emitted, truth)
    flagged: list[bool] = []
    flagged_of_many: list[bool] = []
    flagged_of_known: list[bool] = []
    right_after: list[bool] = []
    right_within: list[bool] = []
    delays: list[int] = []
    for user_id, facet, counts, best_before, best in changes.changed():
        later = [flag - counts.before for flag in changes.flags(user_id, facet) if flag > counts.before]
        flagged.append(bool(later))
        delays += later[:1]
        if counts.after >= SOON:
            flagged_of_many.append(bool(later))
            values = changes.values(user_id, facet, counts.before, counts.before + SOON)
            right_after.append(values[-1:] == [best])
            right_within.append(best in values)
            if changes.values(user_id, facet, counts.before, counts.before) == [best_before]:
                flagged_of_known.append(bool(later))
    false, stable = changes.false_flags()
    delay = median(delays) if delays else None
    return [
        share_of("flagged changes of a best value", flagged, "≥ 0.40"),
        share_of(f"  of users with {SOON} or more feedbacks since", flagged_of_many),
        share_of("    if the old value was learned before", flagged_of_known),
        Figure("feedbacks until the flag, median", "feedbacks", delay, len(delays), "≤ 16"),
        Figure("false flags", "per 1,000", false / stable * 1000 if stable else None, stable, "≤ 4"),
        share_of(f"value right at feedback {SOON} after the change", right_after, "≥ 0.60"),
        share_of("  at any time until then", right_within),
    ]
