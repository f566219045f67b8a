"""Input: reproducible from a seed, most events twice, repeats within the last 64 events."""

from collections import defaultdict
from dataclasses import replace

from tests.chaos.account import DAY_MS, IDS_KEPT
from tests.chaos.ledger import Ledger
from tests.chaos.stream import DAYS, PARTITIONS, lines, scenario
from tests.support.factories import START_MS

MADE = replace(scenario(seed=3, users=20, turns=2_000), end_ms=START_MS + DAYS * DAY_MS)


def test_same_seed_gives_the_same_lines() -> None:
    """In the same order."""
    assert list(lines(MADE)) == list(lines(MADE))


def test_repeat_comes_before_the_next_64_events_of_a_user() -> None:
    """An event occurs twice at most."""
    seen: dict[bytes, list[bytes]] = defaultdict(list)
    repeats = 0
    for line in lines(MADE):
        if line.broken is None:
            events = seen[line.key]
            if line.value in events:
                repeats += 1
                assert len(set(events[events.index(line.value) + 1 :])) < IDS_KEPT
                assert events.count(line.value) == 1
            events.append(line.value)
    assert repeats > 1_000


def test_input_has_every_outcome() -> None:
    """Each user is in one partition."""
    ledger = Ledger(PARTITIONS)
    partitions: dict[bytes, set[int]] = defaultdict(set)
    for line in lines(scenario(seed=3, users=100, turns=10_000)):
        ledger.take(line)
        partitions[line.key].add(line.partition)
    assert {"accepted", "duplicate", "unconsented", "before_wipe", "late", "not_json", "invalid"} <= set(
        ledger.outcomes
    )
    assert all(len(found) == 1 for found in partitions.values())
    assert all(ledger.produced)
