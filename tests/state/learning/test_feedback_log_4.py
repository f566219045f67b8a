"""state/learning/feedback_log_4: logs of layout 4 of users' states."""

from array import array
from struct import Struct

from hypothesis import given
from hypothesis import strategies as st

from state.learning.feedback_log import FeedbackLog
from state.learning.feedback_log_4 import flags_size, upgrade
from state.learning.feedback_piece import Piece
from tests.state.learning.test_feedback_log import FACET_OF, FACETS, HISTORIES, SLOTS, log_of


def layout_4(log: FeedbackLog, flags: bytes) -> FeedbackLog:
    """Return a log as layout 4 has it: other units, no totals, and a mask of flagged facets in each row."""
    old, row = log.copy(), Struct(f"<IHee1s1s{(SLOTS + 7) // 8}s")
    old.rows = b"".join(row.pack(*parts, flags, slots) for *parts, slots in log.layout.iter_unpack(log.rows))
    old.sums = array("H", [2 * total for total in log.sums])
    old.totals = array("H", bytes(4 * SLOTS))
    return old


@given(HISTORIES, st.binary(min_size=1, max_size=1))
def test_pieces_and_evidence_of_layout_4_stay(pieces: list[Piece], flags: bytes) -> None:
    """Pieces, sums and totals are those of a log that never had the old layout; flags are dropped."""
    assert flags_size(FACETS) == len(flags)
    present = log_of(pieces)
    upgraded = layout_4(present, flags)
    upgrade(upgraded, FACET_OF)
    assert upgraded.pieces == present.pieces
    assert upgraded.sums == present.sums
    assert upgraded.totals == present.totals
