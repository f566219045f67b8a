"""Keyer of a replay of some records: others are counted, and a "no" always counts."""

from operators.key import Group
from operators.parse import Parser
from operators.selecting_keyer import Selected, SelectingKeyer
from state.counters import EventCounters, Outcome
from state.events.records import Record, Records, Reject
from tacit.contract.pseudonyms import pseudonym
from tests.support.factories import CATALOGUE, make_event, make_record
from tests.support.parser import NOW_MS, SECRET, SHARDS


def keyed(selected: Selected, records: list[Record]) -> tuple[list[Record], EventCounters]:
    """Return the records of all groups, and the counters."""
    counters = EventCounters()
    parser = Parser(
        catalogue=CATALOGUE, region="eu", secret=SECRET, shards=SHARDS, counters=counters, clock=lambda: NOW_MS
    )
    found: list[Group | Reject] = list(SelectingKeyer(parser, SHARDS, counters, selected)(records))
    groups = [group[1] for group in found if not isinstance(group, Reject)]
    return [record for records in groups if isinstance(records, Records) for record in records], counters


def test_events_of_other_users_are_skipped_and_counted() -> None:
    """Control events of others, too; a record without a user is rejected."""
    records = [
        make_record(make_event(user_id="ada"), 1),
        make_record(make_event(user_id="bob"), 2),
        make_record(make_event(user_id="bob", type="forget"), 3),
        make_record(b"{", 4),
        make_record(make_event(user_id="ada", event_id="e2"), 5),
    ]
    kept, counters = keyed(Selected(frozenset([pseudonym("ada", SECRET)])), records)
    assert [record.position for record in kept] == [1, 5]
    assert counters.outcomes[Outcome.SKIPPED] == 2
    assert counters.total == 3


def test_range_of_event_times_is_for_interactions() -> None:
    """The end is excluded; a control event counts at any time, as a "no" holds for all of history."""
    records = [make_record(make_event(at=NOW_MS + n, event_id=f"e{n}"), n) for n in range(4)]
    records.append(make_record(make_event(type="consent", granted=False, at=NOW_MS - 9), 4))
    kept, counters = keyed(Selected(None, NOW_MS + 1, NOW_MS + 3), records)
    assert sorted(record.position for record in kept) == [1, 2, 4]
    assert counters.outcomes[Outcome.SKIPPED] == 2
    assert (counters.in_range, counters.interactions_ms) == (2, (NOW_MS, NOW_MS + 3))
