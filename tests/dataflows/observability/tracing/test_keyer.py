"""The traced first step: contexts travel with the groups, and all else is as without spans."""

import pickle
from collections.abc import Sequence

from dataflows.observability.tracing.keyer import TracedKeyer
from operators.key import Keyer
from state.counters import EventCounters
from state.events.records import Record, Records, SampledRecord
from tests.support.factories import make_event, make_record
from tests.support.parser import SHARDS, make_parser
from tests.support.spans import CONTEXT, KeptSpans, id_of


def records(count: int) -> list[Record]:
    return [make_record(make_event(event_id=f"e{n}", user_id=f"user-{n}"), n) for n in range(count)]


def sampled(record: Record, context: str = CONTEXT) -> SampledRecord:
    return SampledRecord.of(record, context, 5)


def keyers() -> tuple[Keyer, TracedKeyer, KeptSpans]:
    """Return a keyer, and one with spans."""
    plain, spans = Keyer(make_parser(), SHARDS, EventCounters()), KeptSpans()
    return plain, TracedKeyer(plain, spans), spans


def groups(found: Sequence[object]) -> list[Records]:
    return [item[1] for item in found if isinstance(item, tuple) and isinstance(item[1], Records)]


def test_result_is_that_of_the_keyer() -> None:
    """With sampled records and without; an invalid context counts as none."""
    plain, traced, spans = keyers()
    given = [*records(40), make_record(b"", 40)]
    assert list(traced(given)) == list(plain(given))
    given[3] = sampled(given[3], "00-bad-01")
    assert list(traced(given)) == list(plain(given))
    assert spans.made == {}
    given[7] = sampled(given[7])
    assert list(traced(given)) == list(plain(given))
    assert list(spans.made) == ["read"]


def test_group_knows_its_sampled_record_after_the_exchange() -> None:
    """The context is that of the span that read the record, from its fetch on."""
    _, traced, spans = keyers()
    given = records(40)
    given[7] = sampled(given[7])
    [sent] = [group for group in groups(list(traced(given))) if group.sampled]
    group = pickle.loads(pickle.dumps(sent))  # noqa: S301  # as the engine does between processes
    [found] = group.sampled
    read = spans.made["read"]
    assert group[found.place].position == 7
    assert found.context[36:52] == id_of(read)
    assert read.start_time == 5


def test_record_without_a_user_ends_the_trace_with_a_reason() -> None:
    """No group has it."""
    _, traced, spans = keyers()
    assert groups(list(traced([sampled(make_record(b"", 0))]))) == []
    assert spans.errors == {"read": "not_json"}
