"""The same job in Bytewax's stock operators: state and windows keyed by user, one item at a time.

The dataflow follows Bytewax's documentation: `stateful_map` for consent, pins and preferences, and a `fold_window` over
event time for each of the three activity windows. Parsing, learning and writing are Tacit's own, so the difference is
the saving of shards, panes and packing.
"""

from datetime import UTC, datetime, timedelta

import bytewax.operators as op
import bytewax.operators.windowing as win
from bytewax.dataflow import Dataflow
from bytewax.inputs import Source
from bytewax.operators import KeyedStream
from bytewax.outputs import DynamicSink, Sink, StatelessSinkPartition

from operators.parse import Parser
from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Kind, Observation
from state.events.records import Record, Reject
from state.user.rules import Rules
from state.user.user_state import UserState
from state.user.writes import Write

_ALIGN = datetime(2024, 1, 1, tzinfo=UTC)
_WINDOWS = (
    ("1h", timedelta(hours=1), timedelta(minutes=5)),
    ("24h", timedelta(hours=24), timedelta(hours=1)),
    ("7d", timedelta(days=7), timedelta(days=1)),
)


def build_stock(source: Source[Record], parser: Parser, catalogue: NumberedCatalogue, writes: Sink[Write]) -> Dataflow:
    """Build the dataflow from stock operators."""
    rules = Rules(catalogue)
    flow = Dataflow("stock")
    records = op.input("source", flow, source)
    observations = op.filter_map("parse", records, lambda record: _parse(parser, record))
    keyed = op.key_on("by_user", observations, lambda o: o.user.hex())

    def observe(state: UserState | None, o: Observation) -> tuple[UserState, list[Write]]:
        state = state or UserState()
        state.observe(o, rules)
        return state, list(state.take_writes(o.user, catalogue))

    emitted = op.flat_map("emitted", op.stateful_map("observe", keyed, observe), lambda pair: pair[1])
    op.output("signals", emitted, writes)
    turns = op.filter("turns", keyed, lambda pair: pair[1].kind == Kind.INTERACTION)
    for name, length, offset in _WINDOWS:
        op.output(f"counts_{name}", _counts(name, turns, length, offset), Nowhere())
    return flow


def _parse(parser: Parser, record: Record) -> Observation | None:
    parsed = parser.parse(record)
    return None if isinstance(parsed, Reject) else parsed


def _counts(
    name: str, turns: KeyedStream[Observation], length: timedelta, offset: timedelta
) -> KeyedStream[tuple[int, int]]:
    """Count each user's turns in sliding windows of event time: stream of (user, (window, count))."""
    clock: win.EventClock[Observation] = win.EventClock(
        lambda o: datetime.fromtimestamp(o.at_ms / 1000, UTC), wait_for_system_duration=timedelta(hours=24)
    )
    windower = win.SlidingWindower(length=length, offset=offset, align_to=_ALIGN)
    return win.fold_window(
        f"window_{name}", turns, clock, windower, lambda: 0, lambda count, _: count + 1, lambda a, b: a + b
    ).down


class Nowhere(DynamicSink[object]):
    """A sink that drops its items: building the profile from the counts is not measured."""

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "_NowherePartition":
        return _NowherePartition()


class _NowherePartition(StatelessSinkPartition[object]):
    def write_batch(self, items: list[object]) -> None:
        pass
