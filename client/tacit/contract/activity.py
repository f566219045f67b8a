"""The sliding windows of activity: one table for the worker's state, the reader and the views."""

from typing import Annotated, NamedTuple, get_type_hints

import msgspec

MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS
DAY_MS = 24 * HOUR_MS


Count = Annotated[int, msgspec.Meta(ge=0, lt=2**53)]
"""A number of events; every JSON library reads it exactly."""


class Panes(NamedTuple):
    """Panes that make up a window."""

    width_ms: int
    number: int


class Activity(msgspec.Struct, frozen=True):
    """Turns in the last hour, day and week before the profile's `at`, counted in panes."""

    # A new window is one more member, at the end, with a default of 0: readers then understand earlier profiles.
    # It changes the layout of stored state: raise `state.user.codec.VERSION` with it.

    hour: Annotated[Count, Panes(5 * MINUTE_MS, 12)] = msgspec.field(name="1h")
    day: Annotated[Count, Panes(HOUR_MS, 24)] = msgspec.field(name="24h")
    week: Annotated[Count, Panes(DAY_MS, 7)] = msgspec.field(name="7d")


class Window(NamedTuple):
    """Window of the table."""

    member: str
    """Attribute of `Activity`."""
    key: str
    """Member of the JSON: a number and a unit."""
    panes: Panes

    @property
    def span_ms(self) -> int:
        """Width of the whole window."""
        return self.panes.width_ms * self.panes.number


def _windows() -> tuple[Window, ...]:
    hints = get_type_hints(Activity, include_extras=True)
    return tuple(
        Window(field.name, field.encode_name, hints[field.name].__metadata__[-1])
        for field in msgspec.structs.fields(Activity)
    )


WINDOWS = _windows()
"""Narrowest first; each pane is as wide as the pane before, or a multiple."""


def aged(activity: Activity, age_ms: int) -> Activity:
    """Return an activity `age_ms` later: passed windows are 0."""
    if age_ms < WINDOWS[0].span_ms:
        return activity
    return msgspec.structs.replace(activity, **{w.member: 0 for w in WINDOWS if age_ms >= w.span_ms})


def described(activity: Activity) -> str:
    """Return an activity as text.

    >>> described(Activity(5, 17, 80))
    '5 in 1 h, 17 in 24 h, 80 in 7 d'
    """
    return ", ".join(f"{getattr(activity, window.member)} in {window.key[:-1]} {window.key[-1]}" for window in WINDOWS)
