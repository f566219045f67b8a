"""Examples for tests, as the deployed model creates them."""

from random import Random

from state.events.observation import NONE
from state.learning.example import DirectedFeedback, Example
from tests.support.factories import CATALOGUE, START_MS

DIRECTED = DirectedFeedback(served=0, preferred=1, mean=0.0, variance=0.1)


def make_example(
    user: int = 1,
    *,
    liked: bool = True,
    p: float = 0.5,
    feedback_count: int = 0,
    slots: tuple[int, ...] = (0,),
    item: int = 0,
    topic: int = NONE,
    directed: tuple[DirectedFeedback, ...] = (),
    at_ms: int = START_MS,
) -> Example:
    """Return an example of the user with a number, after `feedback_count` earlier examples."""
    return Example(
        user.to_bytes(16, "big"), at_ms, topic, NONE, item, liked, 1.0, feedback_count, p,
        slots, 0.0, 0.1, {CATALOGUE.slot_facets[slot]: 0.0 for slot in slots}, (), directed,
    )  # fmt: skip


def tastes(n: int, *, users: int = 20, items: int = 0, seed: int = 1) -> list[Example]:
    """Return examples of users: half of the users like value 0, the others value 1, and all like even items.

    Users join one after the other, one example a minute. Each prediction is 0.5.
    """
    random, feedback_count = Random(seed), [0] * users
    examples = []
    for number in range(n):
        user, slot = random.randrange(1 + number * users // n), random.randrange(2)
        item = random.randint(1, items) if items else 0
        like = 0.8 if user % 2 == slot else 0.2
        if item:
            like = (like + (0.9 if item % 2 == 0 else 0.1)) / 2
        examples.append(
            make_example(
                user,
                liked=random.random() < like,
                feedback_count=feedback_count[user],
                slots=(slot,),
                item=item,
                at_ms=START_MS + 60_000 * number,
            )
        )
        feedback_count[user] = min(feedback_count[user] + 1, 255)
    return examples
