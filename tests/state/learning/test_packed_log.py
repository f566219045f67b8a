"""state/learning/packed_log: logs of the layouts 3 to 5 of users' states."""

from struct import Struct, pack

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.feedback_piece import Piece
from state.learning.packed_log import unpack_log
from state.row.layout import MAX_PIECES, Sizes, layout_of
from state.row.row import Row
from tests.state.learning.test_feedback_log import FACETS, HISTORIES, LAYOUT, SLOTS, add, log_in

SIZES = (SLOTS, FACETS)
_SLOT_BYTES, _FACET_BYTES = (SLOTS + 7) // 8, (FACETS + 7) // 8
FLAGS = st.binary(min_size=_FACET_BYTES, max_size=_FACET_BYTES)


def packed(row: Row, version: int, flags: bytes = b"") -> bytes:
    """Return the log of a row as an earlier layout packed it; `flags`: masks of changed tastes in layout 4."""
    held, piece = row.array[0], Struct(f"<IHHH{_FACET_BYTES}s{len(flags)}s{_SLOT_BYTES}s")
    parts = [pack("<B??", held["piece_count"], held["has_sums"], held["uncounted"])]
    for n in range(held["piece_count"]):
        numbers = [int(held[name][n]) for name in ("piece_s", "piece_codes", "piece_means", "piece_variances")]
        parts.append(piece.pack(*numbers, held["piece_facets"][n].tobytes(), flags, held["piece_slots"][n].tobytes()))
    if version > 4:
        parts.append(held["totals"].tobytes())
    if held["has_sums"]:
        sums = held["sums"] if version > 4 else 2 * held["sums"]
        parts += [sums.tobytes(), held["days"].tobytes()]
    return b"".join(parts)


@pytest.mark.parametrize("version", [4, 5])
@given(pieces=HISTORIES, flags=FLAGS, uncounted=st.booleans(), before=st.binary(max_size=9))
def test_packed_log_is_that_of_the_row(
    version: int, pieces: list[Piece], flags: bytes, uncounted: bool, before: bytes
) -> None:
    """Pieces, sums and totals are those of a log that never had the old layout; flags are dropped."""
    present, row = Row(LAYOUT), Row(LAYOUT)
    add(log_in(present), pieces)
    present.array["uncounted"] = uncounted
    data = before + packed(present, version, flags if version == 4 else b"")
    assert unpack_log(data + b"more", len(before), version, SIZES, row, log_in(row)) == len(data)
    assert row.read() == present.read()


def test_layout_3_had_no_log() -> None:
    """All of its feedback is uncounted."""
    row = Row(LAYOUT)
    log = log_in(row)
    assert unpack_log(b"", 0, 3, SIZES, row, log) == 0
    assert log.uncounted
    assert not log.pieces


@pytest.mark.parametrize("version", [4, 5])
@given(pieces=HISTORIES)
def test_row_may_have_room_for_more(version: int, pieces: list[Piece]) -> None:
    """Names that the catalogue gained have no feedback."""
    present, row = Row(LAYOUT), Row(layout_of(Sizes(SLOTS + 9, FACETS + 9, SLOTS + 9)))
    ours, theirs = add(log_in(present), pieces), log_in(row)
    flags = bytes(_FACET_BYTES) if version == 4 else b""
    unpack_log(packed(present, version, flags), 0, version, SIZES, row, theirs)
    assert theirs.pieces == ours.pieces
    assert theirs.totals[: 2 * SLOTS] == ours.totals
    assert not any(theirs.totals[2 * SLOTS :])


def test_log_with_too_many_pieces_is_rejected() -> None:
    """The error names the limit."""
    row = Row(LAYOUT)
    with pytest.raises(ValueError, match=f"{MAX_PIECES + 1} pieces of feedback; a log has at most {MAX_PIECES}"):
        unpack_log(bytes([MAX_PIECES + 1, 0, 0]), 0, 5, SIZES, row, log_in(row))
