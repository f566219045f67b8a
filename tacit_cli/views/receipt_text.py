"""Receipt of a forget, and its later check, as text."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from dataflows.control.receipts import Kind, Receipt, Remaining, Searched


def receipt_text(receipt: Receipt) -> str:
    """Return a receipt for a terminal."""
    subject = ", ".join(receipt.facets) if receipt.facets else "everything"
    sent = f"sent {_time(receipt.sent_ms)}, visible after {receipt.visible_ms:.0f} ms"
    heading = [f"Receipt {receipt.number}", f"forget of {subject}, region {receipt.region}, {sent}"]
    copies = ["copies that no search reaches", *(f"  {_remaining(each)}" for each in receipt.copies)]
    return "\n".join([*heading, *(line for each in receipt.searched for line in _place(each)), *copies])


def checked_text(receipt: Receipt, found: Sequence[Searched], overdue: Sequence[str]) -> str:
    """Return the check of a receipt for a terminal."""
    lines = [f"Receipt {receipt.number} of {_time(receipt.made_ms)}, checked now"]
    lines += [line for each in found for line in _place(each)]
    end = f"overdue: {', '.join(overdue)}" if overdue else "nothing is overdue"
    return "\n".join([*lines, end])


def _place(found: Searched) -> Iterator[str]:
    yield found.place
    yield f"  before: {_counts(found.before)}; now: {_counts(found.after)}"
    if found.removed_ms is not None:
        yield f"  removed by {_time(found.removed_ms)}"
    yield from (f"  remains: {_remaining(each)}" for each in found.remains)


def _counts(counts: Mapping[Kind, int]) -> str:
    return ", ".join(f"{number} {kind}" for kind, number in sorted(counts.items())) or "nothing"


def _remaining(each: Remaining) -> str:
    until = _time(each.until_ms) if each.until_ms is not None else _UNTIL[each.until]
    return f"{each.what}, until {until}: {each.why}"


_UNTIL = {
    "time": "a known time",
    "never": "no end",
    "operator": "an operator deletes it",
    "unknown": "an unknown time",
}


def _time(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
