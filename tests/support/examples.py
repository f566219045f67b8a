"""Judgements as the deployed model hands them on, for tests of what is made of them."""

from random import Random

from state.events.observation import NONE
from state.learning.example import Example, Wish
from tests.support.factories import CATALOGUE, START_MS

WISH = Wish(served=0, wished=1, mean=0.0, variance=0.1)


def make_example(
    user: int = 1,
    *,
    liked: bool = True,
    p: float = 0.5,
    judged: int = 0,
    slots: tuple[int, ...] = (0,),
    item: int = 0,
    topic: int = NONE,
    wishes: tuple[Wish, ...] = (),
) -> Example:
    """Return a judgement by a person of that number, who has judged so many before."""
    return Example(
        user.to_bytes(16, "big"), START_MS, topic, NONE, item, liked, 1.0, judged, p,
        slots, 0.0, 0.1, {CATALOGUE.slot_facets[slot]: 0.0 for slot in slots}, (), wishes,
    )  # fmt: skip


def tastes(n: int, *, people: int = 20, items: int = 0, seed: int = 1) -> list[Example]:
    """Return judgements of people, half of whom like value 0 and half value 1, and all of whom like even items.

    They join one after the other. Predictions are one half.
    """
    random, judged = Random(seed), [0] * people
    made = []
    for number in range(n):
        user, slot = random.randrange(1 + number * people // n), random.randrange(2)
        item = random.randint(1, items) if items else 0
        like = 0.8 if user % 2 == slot else 0.2
        if item:
            like = (like + (0.9 if item % 2 == 0 else 0.1)) / 2
        made.append(make_example(user, liked=random.random() < like, judged=judged[user], slots=(slot,), item=item))
        judged[user] = min(judged[user] + 1, 255)
    return made
