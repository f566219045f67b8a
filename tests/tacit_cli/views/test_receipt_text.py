"""Receipt as text: each place, what is gone, what remains, until when and why."""

from dataflows.control.receipts import Remaining, Searched
from tacit_cli.views.receipt_text import checked_text, receipt_text
from tests.dataflows.control.test_receipts import make_receipt

GONE = Searched(sort="look", place="app.log", before={"id": 1}, after={})
LEFT = Searched(
    sort="state",
    place="/state",
    before={"learned": 2},
    after={"learned": 1},
    remains=(Remaining(what="learned: 1", until="operator", why="an older backup"),),
)


def test_a_receipt_is_readable() -> None:
    """Without the commitment, which is for programs."""
    receipt = make_receipt()
    lines = receipt_text(receipt).splitlines()
    assert lines[0] == f"Receipt {receipt.number}"
    assert lines[1:] == [
        "forget of everything, region eu, sent 1970-01-01T00:00:00Z, visible after 2 ms",
        "redis",
        "  before: 2 learned; now: 1 tombstone",
        "  removed by 1970-01-01T00:00:00Z",
        "  remains: tombstone: 1, until 1970-01-01T00:00:00Z: keeps older events out",
        "copies that no search reaches",
        "  backups, until an unknown time: unseen",
    ]


def test_a_check_ends_with_what_is_overdue() -> None:
    """Or with the sentence that nothing is."""
    receipt = make_receipt()
    text = checked_text(receipt, [GONE, LEFT], ["/state"])
    assert "  before: 1 id; now: nothing" in text
    assert "  remains: learned: 1, until an operator deletes it: an older backup" in text
    assert text.endswith("\noverdue: /state")
    assert checked_text(receipt, [GONE], []).endswith("\nnothing is overdue")
