"""state/account: sums and places that do not depend on batches."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from state.account import MAX_PLACES, Account, Counted, Place, some_places
from state.events.records import FileOrigin, Reason, Reject

BATCHES = st.lists(
    st.lists(st.tuples(st.sampled_from(list(Reason)), st.integers(1, 500)), max_size=12, unique=True), max_size=12
)


def _counted(batch: list[tuple[Reason, int]]) -> Counted:
    rejects = [Reject(reason, "", FileOrigin("a.jsonl"), line, "", 0) for reason, line in sorted(batch)]
    counts = {reason: sum(found is reason for found, _ in batch) for reason in Reason}
    lines = [line for _, line in batch]
    ranges = (("a.jsonl", min(lines), max(lines) + 1),) if lines else ()
    times = (min(lines), max(lines)) if lines else (None, None)
    return Counted(len(batch) + 1, ranges, (("accepted", 1),), tuple(counts.items()), (), some_places(rejects), *times)


@given(BATCHES, st.randoms())
def test_account_does_not_depend_on_the_order_of_batches(batches: list[list[tuple[Reason, int]]], rng: object) -> None:
    """Sums, ranges, times and places are the same, also over a snapshot in the middle."""
    forward, shuffled = Account(), Account()
    for batch in batches:
        forward.add(_counted(batch))
    rng.shuffle(batches)  # type: ignore[attr-defined]  # a Random of Hypothesis
    for batch in batches:
        shuffled.add(_counted(batch))
        shuffled = msgspec.json.decode(msgspec.json.encode(shuffled), type=Account)
    assert forward == shuffled
    assert forward.records == forward.explained
    assert all(len(places) <= MAX_PLACES for places in forward.places.values())


def test_places_are_the_first_ones() -> None:
    """Later batches can have earlier lines: shards are processed one after the other."""
    account = Account()
    for lines in ([70, 80, 90], [1, 85, 100], [2, 3]):
        account.add(_counted([(Reason.LATE, line) for line in lines]))
    assert [place.position for place in account.places[Reason.LATE]] == [1, 2, 3, 70, 80]
    assert str(account.places[Reason.LATE][0]) == "a.jsonl:1"
    assert account.ranges == {"a.jsonl": (1, 101)}
    assert (account.oldest_ms, account.newest_ms) == (1, 100)
    assert Place("events/3/", 7) < Place("events/3/", 10)
