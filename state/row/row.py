"""A user's row in a table of rows: the cursor through which all rules read and write it.

A column is a field of all rows; `row.means[row.at, slot]` is a number of the present row. Compiled, a column is a typed
view with checked bounds; uncompiled, Python's memoryview of the same bytes. Both give the same numbers.

Fields of 32-bit floats are read as `float(row.means[row.at, slot])`: compiled, arithmetic between two such fields would
be rounded to 32 bits.
"""

from typing import Any, Protocol, TypeVar, cast

import numpy as np

from state.row.form import COMPILED
from state.row.layout import Layout

Number = TypeVar("Number", int, float)


class Column(Protocol[Number]):
    """A field with a number per row."""

    def __getitem__(self, at: int, /) -> Number: ...
    def __setitem__(self, at: int, number: Number, /) -> None: ...


class Columns(Protocol[Number]):
    """A field with several numbers per row: row and index."""

    def __getitem__(self, at: tuple[int, int], /) -> Number: ...
    def __setitem__(self, at: tuple[int, int], number: Number, /) -> None: ...


class Grid(Protocol[Number]):
    """A field with two dimensions per row: row and two indices."""

    def __getitem__(self, at: tuple[int, int, int], /) -> Number: ...
    def __setitem__(self, at: tuple[int, int, int], number: Number, /) -> None: ...


class Row:
    """The row at the place `at` of a table; `move_to` changes the place."""

    def __init__(self, layout: Layout, room: int = 1) -> None:
        """Make a table for as many rows; memory is taken when a row is written first."""
        self.layout = layout
        self.at = 0
        self.tails: list[bytes] = [b""] * room
        """Bytes that stand behind each row, for users with a history (state.user.history)."""
        self._lay_out(np.zeros(room, layout.dtype))

    def grow(self, room: int) -> None:
        """Make room for as many rows in all; the rows stay at their places."""
        array = np.zeros(room, self.layout.dtype)
        array[: self.room] = self.array
        self.tails += [b""] * (room - self.room)
        self._lay_out(array)

    def _lay_out(self, array: Any) -> None:
        self.array: Any = array
        self.room = len(array)
        self.eights: Column[int] = _flat(array, "<u8")
        """Numbers of all rows by width, without their meaning: 8, 4, 2 and 1 bytes."""
        self.fours: Column[int] = _flat(array, "<u4")
        self.twos: Column[int] = _flat(array, "<u2")
        self.ones: Column[int] = _flat(array, "<u1")
        self.data: memoryview = memoryview(cast("Any", self.array.view(np.uint8)))
        """Bytes of the table."""
        self._view_control()
        self._view_activity()
        self._view_beliefs()
        self._view_feedback()
        self._view_emitted()

    def _view_control(self) -> None:
        self.parts: Column[int] = self._column("parts")
        self.newest_ms: Column[int] = self._column("newest_ms")
        self.seq: Column[int] = self._column("seq")
        self.wiped_ms: Column[int] = self._column("wiped_ms")
        self.forgotten_ms: Column[int] = self._column("forgotten_ms")
        self.consent_states: Columns[int] = self._column("consent_states")
        self.consent_ms: Columns[int] = self._column("consent_ms")
        self.facet_wiped_ms: Columns[int] = self._column("facet_wiped_ms")
        self.facet_wiped_seq: Columns[int] = self._column("facet_wiped_seq")
        self.facet_wiped: Columns[int] = self._column("facet_wiped")
        self.controls: Columns[int] = self._column("controls")
        self.control_count: Column[int] = self._column("control_count")
        self.pin_ms: Columns[int] = self._column("pin_ms")
        self.pin_slots: Columns[int] = self._column("pin_slots")
        self.pin_known: Columns[int] = self._column("pin_known")

    def _view_activity(self) -> None:
        self.events: Columns[int] = self._column("events")
        self.event_count: Column[int] = self._column("event_count")
        self.event_next: Column[int] = self._column("event_next")
        self.turns: Columns[int] = self._column("turns")
        self.turn_weights: Columns[float] = self._column("turn_weights")
        self.turns_disliked: Column[int] = self._column("turns_disliked")
        self.turn_count: Column[int] = self._column("turn_count")
        self.turn_next: Column[int] = self._column("turn_next")
        self.panes: Columns[int] = self._column("panes")
        self.hours: Columns[float] = self._column("hours")
        self.topic_ids: Columns[int] = self._column("topic_ids")
        self.topic_weights: Columns[float] = self._column("topic_weights")
        self.session_first_ms: Columns[int] = self._column("session_first_ms")
        self.session_last_ms: Columns[int] = self._column("session_last_ms")
        self.session_turns: Columns[int] = self._column("session_turns")
        self.session_dislikes: Columns[int] = self._column("session_dislikes")
        self.session_count: Column[int] = self._column("session_count")

    def _view_beliefs(self) -> None:
        self.means: Columns[float] = self._column("means")
        self.variances: Columns[float] = self._column("variances")
        self.slopes: Columns[float] = self._column("slopes")
        self.slope_variances: Columns[float] = self._column("slope_variances")
        self.bias: Column[float] = self._column("bias")
        self.bias_variance: Column[float] = self._column("bias_variance")
        self.feedback_count: Column[int] = self._column("feedback_count")
        self.population: Column[int] = self._column("population")
        self.mood: Column[float] = self._column("mood")
        self.mood_variance: Column[float] = self._column("mood_variance")
        self.mood_s: Column[int] = self._column("mood_s")
        self.context_keys: Columns[int] = self._column("context_keys")
        self.context_weights: Columns[float] = self._column("context_weights")
        self.effects: Grid[int] = self._column("effects")
        self.terms_check: Column[int] = self._column("terms_check")

    def _view_feedback(self) -> None:
        self.piece_s: Columns[int] = self._column("piece_s")
        self.piece_codes: Columns[int] = self._column("piece_codes")
        self.piece_means: Columns[int] = self._column("piece_means")
        self.piece_variances: Columns[int] = self._column("piece_variances")
        self.piece_facets: Grid[int] = self._column("piece_facets")
        self.piece_slots: Grid[int] = self._column("piece_slots")
        self.piece_count: Column[int] = self._column("piece_count")
        self.totals: Columns[int] = self._column("totals")
        self.sums: Columns[int] = self._column("sums")
        self.days: Columns[int] = self._column("days")
        self.has_sums: Column[int] = self._column("has_sums")
        self.uncounted: Column[int] = self._column("uncounted")

    def _view_emitted(self) -> None:
        self.profile_pane: Column[int] = self._column("profile_pane")
        self.emitted_ms: Columns[int] = self._column("emitted_ms")
        self.emitted_slots: Columns[int] = self._column("emitted_slots")
        self.emitted_tiers: Columns[int] = self._column("emitted_tiers")
        self.emitted_confidences: Columns[float] = self._column("emitted_confidences")
        self.emitted_evidence: Columns[int] = self._column("emitted_evidence")
        self.emitted_ranks: Grid[int] = self._column("emitted_ranks")

    def _column(self, name: str) -> Any:
        numbers = self.array[name]
        return numbers if COMPILED else memoryview(numbers)

    def move_to(self, at: int) -> None:
        """Make another row the present one."""
        self.at = at

    def read(self) -> bytes:
        """Return the bytes of the present row."""
        start = self.at * self.layout.size
        return bytes(self.data[start : start + self.layout.size])

    def write(self, data: bytes) -> None:
        """Overwrite the present row with bytes of the same layout."""
        start = self.at * self.layout.size
        self.data[start : start + self.layout.size] = data

    def numbers(self, name: str) -> Any:
        """Return a field of the present row as a number, or as lists of numbers."""
        return self.array[name][self.at].tolist()


def _flat(array: Any, code: str) -> Any:
    numbers = array.view(np.uint8).view(code)
    return numbers if COMPILED else memoryview(numbers)
