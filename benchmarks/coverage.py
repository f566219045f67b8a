"""Coverage of the off-policy interval: how often the 95 % interval holds the true difference, in seven scenarios.

    python -m benchmarks.coverage [--runs N] [--seed N]

Each run is a log of 1,000 answers, or 4,000 with small propensities. Each user likes answers at a rate of their own,
and follows a policy of their own. All scenarios draw the choice per conversation, as assistants do.
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from math import fsum, sqrt
from random import Random

from benchmarks.machine import machine
from state.catalogue.numbered import NumberedCatalogue
from state.learning.bucketed import BUCKETS, Arms
from state.learning.logged_choices import LoggedChoice
from state.learning.off_policy import OffPolicy

HEAVY = 20


@dataclass(frozen=True, slots=True)
class Scenario:
    """A kind of log."""

    name: str
    difference: float
    """True difference of the rates of likes."""
    rate: float = 0.5
    """Rate of likes with the default, on average."""
    turns: tuple[int, int] = (1, 1)
    """Fewest and most turns of a conversation."""
    conversations: tuple[int, int] = (1, 1)
    """Fewest and most conversations of a user."""
    user_spread: float = 0.0
    """Standard deviation of the rate between users."""
    conversation_spread: float = 0.0
    """Standard deviation of the rate between conversations of a user."""
    propensities: tuple[float, float] = (0.1, 0.45)
    """Least and largest propensity of the default."""
    heavy: float = 0.0
    """Share of users with `HEAVY` times as many conversations."""
    answers: int = 1_000
    """Answers of a log, at least."""


SCENARIOS = (
    Scenario("independent turns", 0.0),
    Scenario("turns in conversations", 0.1, turns=(3, 12), conversation_spread=0.25),
    Scenario("turns in users", 0.05, conversations=(3, 15), user_spread=0.25),
    Scenario("both", 0.0, turns=(2, 6), conversations=(2, 8), user_spread=0.2, conversation_spread=0.2),
    Scenario("rare likes", 0.02, rate=0.03, turns=(1, 4), user_spread=0.015),
    Scenario("small propensities", 0.1, turns=(1, 3), user_spread=0.1, propensities=(0.01, 0.05), answers=4_000),
    Scenario("few heavy users", 0.05, conversations=(1, 3), user_spread=0.15, heavy=0.03),
)


CATALOGUE = NumberedCatalogue.load()
FACET = CATALOGUE.facet_index["length"]
BALANCED = CATALOGUE.slot_index["length"]["balanced"]
CONCISE = CATALOGUE.slot_index["length"]["concise"]


def answers(scenario: Scenario, random: Random) -> Iterator[tuple[int, bool, LoggedChoice]]:
    """Yield answers of one log: the user's bucket, whether liked, and the choice between signal and default."""
    made = 0
    while made < scenario.answers:
        bucket, user_rate = random.randrange(BUCKETS), _spread(random, scenario.user_spread)
        propensity = random.uniform(*scenario.propensities)
        many = HEAVY if random.random() < scenario.heavy else 1
        for _ in range(many * random.randint(*scenario.conversations)):
            follows = random.random() >= propensity
            choice = LoggedChoice(*(CONCISE, 1.0 - propensity) if follows else (BALANCED, propensity), BALANCED)
            rate = scenario.rate + user_rate + _spread(random, scenario.conversation_spread)
            rate += scenario.difference if follows else 0.0
            for _ in range(random.randint(*scenario.turns)):
                made += 1
                yield bucket, random.random() < rate, choice


def _spread(random: Random, deviation: float) -> float:
    """Return a deviation from a symmetric distribution within ±√3 deviations, so that rates stay rates."""
    return random.uniform(-sqrt(3.0) * deviation, sqrt(3.0) * deviation)


def coverage(scenario: Scenario, runs: int, seed: int) -> tuple[float, int, float]:
    """Return the share of intervals that hold the truth, the count of estimates, and the mean width."""
    random = Random(f"{seed} {scenario.name}")
    holds, widths = 0, []
    for _ in range(runs):
        off_policy = OffPolicy(CATALOGUE, Arms())
        for bucket, liked, choice in answers(scenario, random):
            if arm := off_policy.arm_of(FACET, choice):
                arm.add(bucket, liked, choice.weight)
        found = off_policy.difference("length")
        if found.suffices:
            low, high = found.interval
            holds += low <= scenario.difference <= high
            widths.append(high - low)
    n = max(len(widths), 1)
    return holds / n, len(widths), fsum(widths) / n


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.coverage", description=__doc__.split("\n")[0])
    parser.add_argument("--runs", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    print(machine())
    print(f"{'scenario':26}{'true':>8}{'coverage':>10}{'estimates':>11}{'width':>8}")
    for scenario in SCENARIOS:
        holds, n, width = coverage(scenario, arguments.runs, arguments.seed)
        print(f"{scenario.name:26}{scenario.difference:8.2f}{holds:10.3f}{n:11}{width:8.3f}")


if __name__ == "__main__":
    main()
