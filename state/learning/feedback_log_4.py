"""The log of feedback in layout 4 of users' states.

Rows had a mask of facets whose change of taste the piece flagged, between the two other masks. Sums had units of 1/600.
Totals did not exist.
"""

from array import array
from collections.abc import Sequence

from state.learning.feedback_log import FeedbackLog, row_size
from state.learning.side_sums import PER_WEIGHT

_PER_WEIGHT_4 = 600


def flags_size(facets: int) -> int:
    """Return the bytes of the mask of flagged facets."""
    return (facets + 7) // 8


def upgrade(log: FeedbackLog, facet_of: Sequence[int]) -> None:
    """Change rows and sums of layout 4 into present ones, and count the totals; `facet_of` is slot → facet."""
    rows, flags = log.rows, flags_size(log.facets)
    size = row_size(log.slots, log.facets) + flags
    behind = (log.slots + 7) // 8
    head = size - behind - flags
    log.rows = b"".join(rows[n : n + head] + rows[n + size - behind : n + size] for n in range(0, len(rows), size))
    log.sums = array("H", [total * PER_WEIGHT // _PER_WEIGHT_4 for total in log.sums])
    log.recount(facet_of)
