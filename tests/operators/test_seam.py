"""Seam: interactions of a history are taken out once more, and all other events stay."""

import numpy as np

from operators.parse import Parser
from operators.seam import Seam, SeamParser, seam_key
from state.counters import EventCounters, Outcome
from state.events.observation import Observation
from tests.support.factories import CATALOGUE, make_event, make_record
from tests.support.parser import NOW_MS, SECRET, SHARDS


def test_only_interactions_of_the_history_are_taken_out() -> None:
    """User, event id and time must all be the same; a "no" stays, as its user recognizes a repeat."""
    counters = EventCounters()
    parser = Parser(
        catalogue=CATALOGUE, region="eu", secret=SECRET, shards=SHARDS, counters=counters, clock=lambda: NOW_MS
    )
    history = [make_event(event_id="e1"), make_event(event_id="e2"), make_event(type="consent", granted=False)]
    parsed = [parser.parse(make_record(event, 0)) for event in history]
    keys = sorted(seam_key(o) for o in parsed if isinstance(o, Observation))
    newest_ms = max(o.at_ms for o in parsed if isinstance(o, Observation))
    seam = SeamParser(parser, Seam(np.array(keys, dtype=np.uint64), newest_ms), counters)
    live = [
        *history,
        make_event(event_id="e1", user_id="bob"),
        make_event(event_id="e3"),
        make_event(event_id="e1", at=newest_ms - 1),
        make_event(event_id="e1", at=newest_ms + 1),
    ]
    found = seam([make_record(event, n) for n, event in enumerate(live)] + [make_record(b"{", 9)])
    assert [record.position for record in found.records] == [2, 3, 4, 5, 6]
    assert [len(found.observations), len(found.rejects)] == [5, 1]
    assert counters.outcomes[Outcome.DUPLICATE] == 2
