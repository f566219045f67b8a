"""tacit_service/page/receipt_view: each copy with the day by which it is gone, in plain words."""

from dataflows.control.receipts import Receipt, Remaining, Searched, commit
from tacit.contract.activity import DAY_MS
from tacit_service.page.receipt_view import receipt_view
from tests.tacit_service.page.samples import ENGLISH, GERMAN, NOW_MS


def remaining(what: str, until: str, days: int | None = None) -> Remaining:
    until_ms = None if days is None else NOW_MS + days * DAY_MS
    return Remaining(what=what, until=until, until_ms=until_ms, why="a reason of operators")  # type: ignore[arg-type]


RECEIPT = Receipt(
    number=f"r-{'0' * 32}",
    region="eu",
    facets=None,
    sent_ms=NOW_MS,
    visible_ms=12.0,
    made_ms=NOW_MS,
    commitment=commit(bytes(16)),
    searched=(
        Searched(sort="redis", place="redis://x", before={"learned": 3}, after={"tombstone": 1}, remains=(
            remaining("tombstone: 1", "time", 400),
        )),
        Searched(sort="state", place="/x", before={"bytes": 3}, after={"bytes": 2, "tombstone": 1}, remains=(
            remaining("bytes: 2", "time", 0),
            remaining("tombstone: 1", "time", 400),
        )),
        Searched(sort="cuts", place="s3://x", before={}, after={}),
        Searched(sort="look", place="/y", before={"id": 1}, after={"id": 1}, remains=(remaining("id: 1", "operator"),)),
    ),
    copies=(
        remaining("events of the user in the source", "time", 7),
        remaining("deleted keys in files of Redis", "unknown"),
        remaining("backups and disk snapshots", "unknown"),
        remaining("events of the user in events.jsonl", "never"),
    ),
)  # fmt: skip


def test_each_copy_has_its_day() -> None:
    """The latest one, if several things remain; a tombstone is no trace of what was learned."""
    unknown = "not known to this service; ask the operator of your assistant"
    kept = "gone now; only the time of the deletion is kept: by December 26, 2027, 21:43 UTC"
    found = receipt_view(RECEIPT, NOW_MS, ENGLISH)
    assert [(each.place, each.until) for each in found.copies] == [
        ("What assistants can read", kept),
        ("Memory of the learning program, and its safety copies", "by November 21, 21:43 UTC"),
        ("Safety copies at another place", "gone now"),
        ("Further files of the operator", "until the operator of your assistant deletes it"),
        ("Log of your feedback", "by November 28, 21:43 UTC"),
        ("Files of the database that assistants read", unknown),
        ("Backups of the operator", unknown),
        ("Log of your feedback", "kept without an end"),
    ]
    assert found.sent == "November 21, 21:43 UTC"


def test_texts_of_operators_do_not_reach_the_page() -> None:
    shown = str(receipt_view(RECEIPT, NOW_MS, GERMAN))
    assert [text for text in ("reason", "redis://", "/x", "s3://", "events.jsonl") if text in shown] == []
    assert "bis 28. November, 21:43 UTC" in shown
