"""Logs of feedback in the layouts 3 to 5 of users' states, which packed a log as long as it was.

    bytes   layouts 4 and 5, little-endian
    1       number of pieces
    1 + 1   a piece has left the log; uncounted feedback
    …       the pieces: time, code, mean and variance, mask of facets, mask of values
    4s      layout 5: totals; s values in all
    4s + 4s earlier sums and their days, once a piece has left the log

Pieces of layout 4 had a mask of facets whose change of taste the piece flagged, between the two other masks. Its sums
had units of 1/600, and totals did not exist. Layout 3 had no log.
"""

from struct import Struct

import numpy as np

from state.learning.feedback_log import FeedbackLog
from state.learning.side_sums import PER_WEIGHT
from state.row.layout import MAX_PIECES
from state.row.row import Row

_HEAD = Struct("<B??")
_PER_WEIGHT_4 = 600


def unpack_log(data: bytes, position: int, version: int, sizes: tuple[int, int], row: Row, log: FeedbackLog) -> int:
    """Fill the empty log of the present row with packed bytes, and return the position behind them.

    Args:
        data: packed state of a user.
        position: start of the log in `data`.
        version: layout, 3 to 5.
        sizes: numbers of values and facets that the state was packed with; the row may have more.
        row: row of `log`.
        log: log of the row.

    Raises:
        ValueError: more pieces than a log has.
        struct.error: too few bytes.
    """
    held = row.array[row.at]
    if version == 3:
        held["uncounted"] = 1
        return position
    count, has_sums, held["uncounted"] = _HEAD.unpack_from(data, position)
    if count > MAX_PIECES:
        raise ValueError(f"{count} pieces of feedback; a log has at most {MAX_PIECES}")
    held["piece_count"], held["has_sums"] = count, has_sums
    position = _unpack_pieces(data, position + _HEAD.size, version, sizes, row)
    arrays = [*(["totals"] if version > 4 else []), *(["sums", "days"] if has_sums else [])]
    for name in arrays:
        numbers = Struct(f"<{2 * sizes[0]}H").unpack_from(data, position)
        held[name][: len(numbers)] = numbers
        position += 2 * len(numbers)
    if version == 4:
        held["sums"] = held["sums"].astype(np.uint32) * PER_WEIGHT // _PER_WEIGHT_4
        log.recount()
    return position


def _unpack_pieces(data: bytes, position: int, version: int, sizes: tuple[int, int], row: Row) -> int:
    held = row.array[row.at]
    slot_bytes, facet_bytes = ((size + 7) // 8 for size in sizes)
    piece = Struct(f"<IHHH{facet_bytes}s{0 if version > 4 else facet_bytes}x{slot_bytes}s")
    for n in range(held["piece_count"]):
        at_s, code, mean, variance, only, slots = piece.unpack_from(data, position)
        held["piece_s"][n], held["piece_codes"][n] = at_s, code
        held["piece_means"][n], held["piece_variances"][n] = mean, variance
        held["piece_facets"][n][:facet_bytes] = np.frombuffer(only, np.uint8)
        held["piece_slots"][n][:slot_bytes] = np.frombuffer(slots, np.uint8)
        position += piece.size
    return position
