"""What the people of the archives did before the folder was saved, and after: each something else that state holds."""

from collections.abc import Iterator
from itertools import count
from random import Random
from typing import Any

from state.catalogue.numbered import NumberedCatalogue
from state.user.windows import DAY_MS, HOUR_MS
from tests.support.factories import make_event

PEOPLE = ("ada", "ben", "cyd", "dee", "eve", "fay", "gus")
BEGIN_MS = 20_089 * DAY_MS
SAVED_MS = BEGIN_MS + 60 * DAY_MS

Events = list[dict[str, Any]]


class History:
    """Events, each with an id and a time of its own."""

    def __init__(self, catalogue: NumberedCatalogue) -> None:
        self.events: Events = []
        self._catalogue = catalogue
        self._random = Random(11)
        self._ids = count(1)

    def say(self, who: str, at_ms: int, **fields: Any) -> None:
        self.events.append(make_event(user_id=who, at=at_ms, event_id=f"e{next(self._ids)}", **fields))

    def turn(self, who: str, at_ms: int, kind: str = "thumbs_up", **served: str) -> None:
        others = {name: self._random.choice(facet.values) for name, facet in self._catalogue.facets.items()}
        topic = self._random.choice(self._catalogue.topics.values)
        number = next(self._ids)
        self.say(who, at_ms, turn_id=f"t{number}", topic=topic, served=others | served, feedback={"kind": kind})

    def turns(self, who: str, begin_ms: int, number: int, kind: str = "thumbs_up", **served: str) -> None:
        """Add turns, five an hour apart on each day."""
        for n in range(number):
            self.turn(who, begin_ms + n // 5 * DAY_MS + n % 5 * HOUR_MS, kind, **served)


def before(catalogue: NumberedCatalogue) -> Events:
    """Return what the saved run read."""
    history = History(catalogue)
    for who in PEOPLE:
        history.say(who, BEGIN_MS, type="consent", granted=True)
    history.turns("ada", BEGIN_MS + DAY_MS, 150, length="concise", tone="friendly")
    history.turns("ada", BEGIN_MS + 31 * DAY_MS, 70, kind="thumbs_down", format="table")
    history.turns("ben", BEGIN_MS + DAY_MS, 20)
    history.say("ben", SAVED_MS - 3, type="pin", facet="tone", value="formal")
    history.say("ben", SAVED_MS - 2, type="pin", facet="length", value="concise")
    history.say("ben", SAVED_MS - 1, type="pin", facet="length", value=None)
    history.turns("cyd", BEGIN_MS + DAY_MS, 10)
    history.say("cyd", SAVED_MS - 1, type="consent", granted=False)
    history.turns("dee", BEGIN_MS + DAY_MS, 20)
    history.say("dee", SAVED_MS - 2 * DAY_MS, type="forget")
    history.say("dee", SAVED_MS - 2 * DAY_MS + 1, type="consent", granted=True)
    history.turns("dee", SAVED_MS - DAY_MS, 3)
    history.turns("eve", BEGIN_MS + DAY_MS, 140, length="concise")
    history.turns("eve", BEGIN_MS + 30 * DAY_MS, 140, kind="thumbs_down", length="concise")
    history.turns("gus", BEGIN_MS + DAY_MS, 5)
    return history.events


def after(catalogue: NumberedCatalogue, saved: Events) -> Events:
    """Return what came afterwards: repeats, what is too late, what is not allowed, and what is learned from."""
    return [*_repeats(saved), *_news(catalogue)]


def _repeats(saved: Events) -> Iterator[dict[str, Any]]:
    """Yield each one's last event once more."""
    for who in PEOPLE:
        yield [event for event in saved if event["user_id"] == who][-1]


def _news(catalogue: NumberedCatalogue) -> Events:
    history = History(catalogue)
    history.say("ada", SAVED_MS - 20 * DAY_MS)  # too late
    history.say("dee", SAVED_MS - 3 * DAY_MS)  # from before the wipe
    history.say("gus", SAVED_MS + 100 * DAY_MS)  # away for so long that consent has lapsed
    for number, who in enumerate(PEOPLE[:-1]):
        history.turn(who, SAVED_MS + number * HOUR_MS, length="concise", tone="formal")
    return [event | {"event_id": f"later-{event['event_id']}"} for event in history.events]
