"""operators/plain_interactions and operators/key: the fast paths decide as the slow path does."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from operators.decoders import Format
from operators.decoders.json import decode
from operators.decoders.json_line import MAX_LINE_BYTES, Acted, Line
from operators.key import Keyer
from operators.parse import Parser
from operators.plain_interactions import CACHED_OBJECTS, MAX_CACHED_BYTES, PlainInteractions
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.events.observation import Observation
from state.events.records import Record, Records, Reject
from state.storage.shards import shard_key, shard_of
from tacit.contract.events import ActedOn, Interaction
from tests.support.factories import CATALOGUE, FILMS, make_event, make_record, slots
from tests.support.mutated_records import BASES, CONTROLS, mutated_records
from tests.support.parser import NOW_MS, SECRET, SHARDS, accepted

SLOW = Format(decode)
"""JSON without its fast paths."""

Outcomes = dict[int, Observation | Reject]


class Steps:
    """Both steps on both sides of the exchange, and the counters."""

    def __init__(self, catalogue: NumberedCatalogue = CATALOGUE, input_format: Format | None = None) -> None:
        self.counters = EventCounters()
        formats = {} if input_format is None else {"input_format": input_format}
        self.parser = Parser(
            catalogue=catalogue, region="eu", secret=SECRET, shards=SHARDS, counters=self.counters,
            clock=lambda: NOW_MS, **formats,
        )  # fmt: skip
        self.keyer = Keyer(self.parser, SHARDS, self.counters)

    @property
    def plain(self) -> PlainInteractions:
        plain = self.parser._plain
        assert isinstance(plain, PlainInteractions)
        return plain

    def outcomes(self, records: Sequence[Record]) -> Outcomes:
        """Return the outcome of each record, and check that each user is in the right shard."""
        found: Outcomes = {}
        for group in self.keyer(records):
            if isinstance(group, Reject):
                found[group.position] = group
                continue
            records_of_shard = group[1]
            assert isinstance(records_of_shard, Records)
            parsed = self.parser(records_of_shard)
            for o, record in zip(parsed.observations, parsed.records, strict=True):
                assert shard_key(shard_of(o.user, SHARDS)) == group[0]
                found[record.position] = o
            found |= {reject.position: reject for reject in parsed.rejects}
        return found


@pytest.mark.parametrize(
    ("bases", "count", "plain_share"), [(BASES, 100_000, 0.15), (CONTROLS, 20_000, 0.0)], ids=["answers", "controls"]
)
def test_fast_paths_decide_as_the_slow_path(bases: Sequence[dict[str, Any]], count: int, plain_share: float) -> None:
    """Observations, rejects, shards and counters of mutated records are equal."""
    fast, slow = Steps(), Steps(input_format=SLOW)
    records = list(mutated_records(bases, count))
    for start in range(0, count, 1_000):
        batch = records[start : start + 1_000]
        found, expected = fast.outcomes(batch), slow.outcomes(batch)
        assert found.keys() == expected.keys() == {record.position for record in batch}
        for record in batch:
            assert found[record.position] == expected[record.position], record
    assert fast.counters == slow.counters
    plain = sum(fast.plain(record) is not None for record in records)
    assert plain >= plain_share * count
    rejects = sum(fast.counters.rejects.values()) + sum(fast.counters.control_rejects.values())
    assert rejects > count / 5


def test_answers_with_all_members_are_plain() -> None:
    """The fast path takes the usual events."""
    steps = Steps()
    for event in BASES:
        assert steps.plain(make_record(event)) == steps.parser.parse_slowly(make_record(event))


def test_line_has_the_members_of_an_interaction() -> None:
    """With a member missing, all events with this member would take the slow path."""
    assert set(Line.__struct_fields__) == {"type", *Interaction.__struct_fields__}
    assert Acted.__struct_fields__ == ActedOn.__struct_fields__


# Caches


def test_caches_of_objects_are_bounded() -> None:
    """A producer of other objects each time does not fill the memory."""
    steps = Steps()
    plain = steps.plain
    for number in range(CACHED_OBJECTS + 100):
        spaces = " " * (number // 400) + "\t" * (number % 400)
        data = b'{"served":{"tone":%s"formal"},"feedback":{"kind":%s"shorter"},' % ((spaces.encode(),) * 2)
        o = plain(make_record(data + json.dumps(make_event()).encode()[1:]))
        assert o is not None
        assert list(o.slots) == slots({"tone": "formal"})
    assert plain._served.cache_info().currsize == plain._feedback.cache_info().currsize == CACHED_OBJECTS


def test_long_objects_are_not_cached() -> None:
    """They take the slow path."""
    steps = Steps()
    record = make_record(
        json.dumps(make_event(served={"tone": "formal"})).replace("{", "{" + " " * MAX_CACHED_BYTES).encode()
    )
    assert steps.plain(record) is None
    assert steps.outcomes([record])[record.position] == accepted(record.value)
    assert steps.plain._served.cache_info().currsize == 0


@pytest.mark.parametrize("count", [64, 65])
def test_number_of_followed_signals_is_limited(count: int) -> None:
    """More entries than the contract allows fit into a line where names are short."""
    catalogue = NumberedCatalogue.parse(FILMS.replace("genre", "g").replace("drama", "d"))
    entry = {"facet": "g", "value": "d", "version": None, "propensity": 1}
    record = make_record(json.dumps(make_event(acted_on=[entry] * count), separators=(",", ":")).encode())
    assert len(record.value) <= MAX_LINE_BYTES
    assert (Steps(catalogue).plain(record) is not None) is (count <= 64)


def test_errors_are_not_cached() -> None:
    """A name outside the catalogue is a reject each time."""
    steps = Steps()
    for event in [make_event(served={"tone": "rude"}), make_event(locale="de_AT"), make_event(user_id="a\n")] * 2:
        assert isinstance(steps.parser.parse(make_record(event)), Reject)
    assert steps.plain._served.cache_info().currsize == 0


def test_equal_bytes_under_another_catalogue_have_its_numbers() -> None:
    """A cache belongs to one parser, and a parser to one catalogue."""
    other = NumberedCatalogue.parse(FILMS.replace("[facets.genre]", "[facets.decades]").replace("decade]", "genre]"))
    films = NumberedCatalogue.parse(FILMS)
    event = make_event(served={"genre": "2000s"}, topic="cinema")
    record = make_record(event)
    rejected, found = Steps(films).parser.parse(record), Steps(other).parser.parse(record)
    assert isinstance(rejected, Reject)
    assert isinstance(found, Observation)
    assert list(found.slots) == slots({"genre": "2000s"}, other)


def test_similar_bytes_are_different_objects() -> None:
    """Objects are compared whole, not by their hashes."""
    steps = Steps()
    values = ["formal", "neutral", "formal"]
    found = [steps.plain(make_record(make_event(served={"tone": value}))) for value in values]
    assert [list(o.slots) for o in found if o] == [slots({"tone": value}) for value in values]
