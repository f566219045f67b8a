"""Graph of the dataflow, for live runs and replays: records by shard → state → signals and rejects.

source ─ Record ─► key ─┬─ (shard, Records) ─► adapt ─┬─ Write ─────► signals (Redis)
                        │      parse, observe    ▲    │                   └ unwritable ► rejects
                        │                      prior  ├─ Examples ──► learn_population ─► versions
                        │                        └┄┄┄┄┼┄┄ direct, or by a feed ┄┄┘
                        └──── Reject ─────────────────┴─ Reject ─┬──► rejects
                                                                 └──► rejects of control events
"""

from collections.abc import Callable, Iterable, Sequence
from typing import TypeGuard, cast

import bytewax.operators as op
from bytewax.dataflow import Dataflow, Stream
from bytewax.inputs import Source
from bytewax.operators import KeyedStream
from bytewax.outputs import Sink

from operators.adapt import Adapt, Examples
from operators.key import Group
from operators.learn_population import LearnPopulation
from operators.prove import Prove
from state.events.records import AnyReject, Record, Records, Reject
from state.learning.population_version import PopulationWrite
from state.learning.proof_report import ReportWrite
from state.user.writes import Write

FLOW_ID = "adaptation"
ADAPT_STEP = "adapt"
LEARN_STEP = "learn_population"
POPULATION_KEY = "population"
"""Names under which Bytewax stores state; after a change, a run would start without state and without an error."""

Key = Callable[[Sequence[Record]], Iterable[Group | Reject]]
"""Type of `operators.key.Keyer`."""

BuildAdapt = Callable[[bytes | None], Adapt]
"""Snapshot of a shard, or None for a new shard → logic of the shard. Bytewax does not pass the shard's key."""

BuildLearn = Callable[[bytes | None], LearnPopulation | Prove]
"""Snapshot of the population model, or None for a new one → logic of its training, or of proof alone."""


def build(
    source: Source[Record],
    key: Key,
    build_adapt: BuildAdapt,
    build_learn: BuildLearn,
    writes: Sink[Write],
    versions: Sink[PopulationWrite | ReportWrite],
    rejects: Sink[AnyReject],
    control_rejects: Sink[AnyReject],
) -> Dataflow:
    """Return the dataflow of sources, steps and sinks."""
    flow = Dataflow(FLOW_ID)
    records = op.input("source", flow, source)
    keyed = op.branch("keyed", op.flat_map_batch("key", records, key), _is_reject)
    groups = cast("KeyedStream[Records]", keyed.falses)
    adapted = op.key_rm("no_shard", op.stateful_batch(ADAPT_STEP, groups, build_adapt))
    out = op.branch("adapted", adapted, _is_reject)
    taught = op.branch("taught", out.falses, _is_examples)
    op.output("signals", cast("Stream[Write]", taught.falses), writes)
    examples = op.map("to_population", taught.trues, _to_population)
    op.output("versions", op.key_rm("no_key", op.stateful_batch(LEARN_STEP, examples, build_learn)), versions)
    rejected = op.merge("all_rejects", keyed.trues, out.trues)
    others = op.filter("other_rejects", rejected, lambda reject: not reject.control)
    op.output("rejects", cast("Stream[AnyReject]", others), rejects)
    controls = op.filter("only_control_rejects", rejected, lambda reject: bool(reject.control))
    op.output("control_rejects", cast("Stream[AnyReject]", controls), control_rejects)
    return flow


def _is_reject(item: object) -> TypeGuard[Reject]:
    return isinstance(item, Reject)


def _is_examples(item: object) -> TypeGuard[Examples]:
    return isinstance(item, Examples)


def _to_population(examples: Examples) -> tuple[str, list[bytes]]:
    return POPULATION_KEY, examples.packed
