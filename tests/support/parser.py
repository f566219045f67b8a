"""A parser, and its result for one record."""

import json
from collections.abc import Mapping
from typing import Any

from operators.parse import Parser
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.events.observation import Observation
from state.events.records import Reason, Reject
from tests.support.factories import CATALOGUE, START_MS, make_event, make_record

SECRET = b"0123456789abcdef"
SHARDS = 16
NOW_MS = START_MS + 1
INTERACTION = json.dumps(make_event()).encode()


def make_parser(counters: EventCounters | None = None, catalogue: NumberedCatalogue = CATALOGUE) -> Parser:
    counters = counters or EventCounters()
    return Parser(
        catalogue=catalogue, region="eu", secret=SECRET, shards=SHARDS, counters=counters, clock=lambda: NOW_MS
    )


def parse(event: Mapping[str, Any] | bytes, catalogue: NumberedCatalogue = CATALOGUE) -> Observation | Reject:
    return make_parser(catalogue=catalogue).parse(make_record(event))


def rejected(event: Mapping[str, Any] | bytes) -> tuple[Reason, str]:
    found = parse(event)
    assert isinstance(found, Reject)
    return found.reason, found.detail


def accepted(event: Mapping[str, Any] | bytes, catalogue: NumberedCatalogue = CATALOGUE) -> Observation:
    found = parse(event, catalogue)
    assert isinstance(found, Observation)
    return found
