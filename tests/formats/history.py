"""Events of the archives before and after the folder was saved; each user exercises other parts of the state."""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

from state.catalogue.numbered import NumberedCatalogue
from state.user.windows import DAY_MS, HOUR_MS
from tests.support.factories import make_event

USERS = ("ada", "ben", "cyd", "dee", "eve", "fay", "gus")
BEGIN_MS = 20_089 * DAY_MS
SAVED_MS = BEGIN_MS + 60 * DAY_MS

Events = list[dict[str, Any]]


class History:
    """Events with unique ids and times."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        self.events: Events = []
        self._catalogue = catalogue
        self._random = Random(11)
        self._ids = count(1)

    def add(self, user_id: str, at_ms: int, **fields: Any) -> None:
        self.events.append(make_event(user_id=user_id, at=at_ms, event_id=f"e{next(self._ids)}", **fields))

    def turn(self, user_id: str, at_ms: int, kind: str = "thumbs_up", **served: str) -> None:
        others = {name: self._random.choice(facet.values) for name, facet in self._catalogue.facets.items()}
        topic = self._random.choice(self._catalogue.topics.values)
        number = next(self._ids)
        self.add(user_id, at_ms, turn_id=f"t{number}", topic=topic, served=others | served, feedback={"kind": kind})

    def turns(self, user_id: str, begin_ms: int, number: int, kind: str = "thumbs_up", **served: str) -> None:
        """Add turns: five on each day, one hour apart."""
        for n in range(number):
            self.turn(user_id, begin_ms + n // 5 * DAY_MS + n % 5 * HOUR_MS, kind, **served)


def before(catalogue: NumberedCatalogue) -> Events:
    """Return the input of the saved run."""
    history = History(catalogue)
    for user_id in USERS:
        history.add(user_id, BEGIN_MS, type="consent", granted=True)
    history.turns("ada", BEGIN_MS + DAY_MS, 150, length="concise", tone="friendly")
    history.turns("ada", BEGIN_MS + 31 * DAY_MS, 70, kind="thumbs_down", format="table")
    history.turns("ben", BEGIN_MS + DAY_MS, 20)
    history.add("ben", SAVED_MS - 3, type="pin", facet="tone", value="formal")
    history.add("ben", SAVED_MS - 2, type="pin", facet="length", value="concise")
    history.add("ben", SAVED_MS - 1, type="pin", facet="length", value=None)
    history.turns("cyd", BEGIN_MS + DAY_MS, 10)
    history.add("cyd", SAVED_MS - 1, type="consent", granted=False)
    history.turns("dee", BEGIN_MS + DAY_MS, 20)
    history.add("dee", SAVED_MS - 2 * DAY_MS, type="forget")
    history.add("dee", SAVED_MS - 2 * DAY_MS + 1, type="consent", granted=True)
    history.turns("dee", SAVED_MS - DAY_MS, 3)
    history.turns("eve", BEGIN_MS + DAY_MS, 140, length="concise")
    history.turns("eve", BEGIN_MS + 30 * DAY_MS, 140, kind="thumbs_down", length="concise")
    history.turns("gus", BEGIN_MS + DAY_MS, 5)
    return history.events


def after(catalogue: NumberedCatalogue, saved: Events) -> Events:
    """Return the later events: repeats, late and unconsented events, and accepted feedback."""
    return [*_repeats(saved), *_new_events(catalogue)]


def _repeats(saved: Events) -> Iterator[dict[str, Any]]:
    """Yield the last event of each user again."""
    for user_id in USERS:
        yield [event for event in saved if event["user_id"] == user_id][-1]


def _new_events(catalogue: NumberedCatalogue) -> Events:
    history = History(catalogue)
    history.add("ada", SAVED_MS - 20 * DAY_MS)  # too late
    history.add("dee", SAVED_MS - 3 * DAY_MS)  # before the wipe
    history.add("gus", SAVED_MS + 100 * DAY_MS)  # absent until the consent has expired
    for number, user_id in enumerate(USERS[:-1]):
        history.turn(user_id, SAVED_MS + number * HOUR_MS, length="concise", tone="formal")
    return [event | {"event_id": f"later-{event['event_id']}"} for event in history.events]
