"""Receipt of a deletion in plain words: each copy with the day of the end."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dataflows.control.receipts import Receipt, Remaining, Searched, Sort
from tacit_service.page.language import Language


@dataclass(frozen=True, slots=True)
class Copy:
    """Copy of the data."""

    place: str
    until: str


@dataclass(frozen=True, slots=True)
class ReceiptView:
    """Receipt."""

    number: str
    sent: str
    summary: str
    copies: tuple[Copy, ...]


def receipt_view(receipt: Receipt, now_ms: int, language: Language) -> ReceiptView:
    """Return the view of a receipt."""
    _ = language.gettext
    return ReceiptView(
        receipt.number,
        language.moment(receipt.sent_ms, now_ms),
        _("No assistant can read anything from before the deletion. Some copies need longer to go:"),
        tuple(_copies(receipt, now_ms, language)),
    )


def _copies(receipt: Receipt, now_ms: int, language: Language) -> Iterator[Copy]:
    for searched in receipt.searched:
        yield Copy(_place(searched.sort, language), _searched(searched, now_ms, language))
    for copy in receipt.copies:
        yield Copy(_copy_place(copy, language), _until([copy], now_ms, language))


def _searched(searched: Searched, now_ms: int, language: Language) -> str:
    remains = [each for each in searched.remains if not each.what.startswith(("tombstone", "pseudonym"))]
    if remains:
        return _until(remains, now_ms, language)
    _ = language.gettext
    if kept := [each for each in searched.remains if each.what.startswith("tombstone")]:
        until = _until(kept, now_ms, language)
        return _("gone now; only the time of the deletion is kept: %(until)s", until=until)
    return _("gone now")


def _until(remains: Iterable[Remaining], now_ms: int, language: Language) -> str:
    """Return the latest end of some remains in words; an unknown end counts as the latest."""
    _ = language.gettext
    found = list(remains)
    kinds = {each.until for each in found}
    if "never" in kinds:
        return _("kept without an end")
    if "operator" in kinds:
        return _("until the operator of your assistant deletes it")
    if "unknown" in kinds:
        return _("not known to this service; ask the operator of your assistant")
    return _("by %(day)s", day=language.moment(max(each.until_ms or 0 for each in found), now_ms))


def _place(sort: Sort, language: Language) -> str:
    _ = language.gettext
    return {
        "redis": _("What assistants can read"),
        "state": _("Memory of the learning program, and its safety copies"),
        "cuts": _("Safety copies at another place"),
        "look": _("Further files of the operator"),
    }[sort]


def _copy_place(copy: Remaining, language: Language) -> str:
    _ = language.gettext
    if copy.what.startswith("events of the user"):
        return _("Log of your feedback")
    if copy.what.startswith("deleted keys"):
        return _("Files of the database that assistants read")
    return _("Backups of the operator")
