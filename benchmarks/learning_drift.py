"""What the benchmark of learning measures of changes of taste."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator
from statistics import median
from typing import NamedTuple

from benchmarks.learning_figures import Figure, share_of
from benchmarks.learning_path import Judged, Said
from tacit_lab.simulate import Truth

SOON = 25
"""Judgements."""


class Spell(NamedTuple):
    """What was learned about a user before and after their taste began to change, in pieces of feedback."""

    before: int
    after: int


class Change(NamedTuple):
    """A facet of a user whose best value has changed from one moment to the next."""

    user_id: str
    facet: str
    spell: Spell
    best_before: str
    best: str
    """Since then."""


class Changes:
    """What was emitted of users whose taste changes, and of those whose taste does not; no user who was ever wiped."""

    def __init__(self, judged: Iterable[Judged], said: Iterable[Said], truth: Truth) -> None:
        self._truth = truth
        self.said: dict[tuple[str, str], list[Said]] = defaultdict(list)
        """By user and facet, in order."""
        for one in said:
            self.said[one.user_id, one.facet].append(one)
        times: dict[str, list[int]] = defaultdict(list)
        for outcome in judged:
            times[outcome.user_id].append(outcome.at_ms)
        users = {user_id: truth.users[user_id] for user_id in times}
        self.stays = {user_id: user for user_id, user in users.items() if user.wiped_at() is None}
        self.spells = {}
        """By user; who does not change is all `before`."""
        for user_id, user in self.stays.items():
            all_times = sorted(times[user_id])
            before = len(all_times) if user.change == "none" else bisect_left(all_times, user.change_at)
            self.spells[user_id] = Spell(before, len(all_times) - before)

    def changed(self) -> Iterator[Change]:
        """Return the abrupt changes of a best value of which both sides were learned from, no user's own settings."""
        for user_id, user in self.stays.items():
            spell = self.spells[user_id]
            if user.change != "abrupt" or not spell.before or not spell.after:
                continue
            pinned = {pin.facet for pin in user.pins}
            for facet, bests in self._truth.changed(user_id).items():
                if facet not in pinned:
                    yield Change(user_id, facet, spell, *bests)

    def flags(self, user_id: str, facet: str) -> list[int]:
        """Return after how many pieces of feedback each change was flagged."""
        first: dict[int, int] = {}
        for said in self.said.get((user_id, facet), ()):
            if said.signal.drift_at is not None:
                first.setdefault(said.signal.drift_at, said.judged)
        return list(first.values())

    def values(self, user_id: str, facet: str, first: int, last: int) -> list[str]:
        """Return the values that were preferred from so many pieces of feedback of a user to so many, in order."""
        said = self.said.get((user_id, facet), [])
        before = [one.signal.value for one in said if one.judged <= first]
        return before[-1:] + [one.signal.value for one in said if first < one.judged <= last]

    def false_flags(self) -> tuple[int, int]:
        """Return the number of flags while nothing changed, and of the pieces of feedback in that time."""
        flags = sum(
            flag <= self.spells[user_id].before
            for user_id, facet in self.said
            if user_id in self.spells
            for flag in self.flags(user_id, facet)
        )
        return flags, sum(spell.before for spell in self.spells.values())


def drift_figures(judged: Iterable[Judged], said: Iterable[Said], truth: Truth) -> list[Figure]:
    """State how many abrupt changes of a best value are found and how soon, and how often one is that was none."""
    changes = Changes(judged, said, truth)
    flagged: list[bool] = []
    flagged_of_many: list[bool] = []
    flagged_of_known: list[bool] = []
    right_after: list[bool] = []
    right_within: list[bool] = []
    delays: list[int] = []
    for user_id, facet, spell, best_before, best in changes.changed():
        later = [flag - spell.before for flag in changes.flags(user_id, facet) if flag > spell.before]
        flagged.append(bool(later))
        delays += later[:1]
        if spell.after >= SOON:
            flagged_of_many.append(bool(later))
            values = changes.values(user_id, facet, spell.before, spell.before + SOON)
            right_after.append(values[-1:] == [best])
            right_within.append(best in values)
            if changes.values(user_id, facet, spell.before, spell.before) == [best_before]:
                flagged_of_known.append(bool(later))
    false, stable = changes.false_flags()
    delay = median(delays) if delays else None
    return [
        share_of("changed best values that are flagged", flagged, "≥ 0.40"),
        share_of(f"  of users with {SOON}+ pieces of feedback since", flagged_of_many),
        share_of("  of these, if the old one was known", flagged_of_known),
        Figure("pieces of feedback until the flag, median", "judgements", delay, len(delays), "≤ 16"),
        Figure("false flags", "per 1,000", false / stable * 1000 if stable else None, stable, "≤ 4"),
        share_of(f"right again {SOON} pieces of feedback after the change", right_after, "≥ 0.60"),
        share_of(f"  at some time within these {SOON}", right_within),
    ]
