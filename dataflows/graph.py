"""Graph of the dataflow, for live runs and replays: records by shard → state → signals and rejects.

source ─ Record ─► key ─┬─ (shard, Records) ─► adapt ─┬─ Write ─────► signals (Redis)
                        │      parse, observe    ▲    │                   └ unwritable ► rejects
                        │                      prior  ├─ Examples ─► train ─ Delta ─► learn_population ─► versions
                        │                        └┄┄┄┄┼┄┄┄┄┄┄┄┴┄┄ direct, by a feed, or by rounds ┄┄┄┄┄┘
                        └──── Reject ─────────────────┴─ Reject ─┬──► rejects
                                                                 └──► rejects of control events
`adapt` and `train` have one key per shard, `learn_population` has one key for all.
In a bounded run, key and adapt pass counts on, too ─ Counted ─► account: the sums of the whole replay.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeGuard, cast

import bytewax.operators as op
from bytewax.dataflow import Dataflow, Stream
from bytewax.inputs import Source
from bytewax.operators import KeyedStream, StatefulBatchLogic
from bytewax.outputs import Sink

from operators.account import AccountStep, CountedStep
from operators.adapt import Examples
from operators.key import Group
from operators.learn_population import LearnPopulation
from operators.prove import Prove
from operators.rounds import Rounds
from operators.train import TrainShard
from state.account import Counted
from state.events.records import AnyReject, Record, Records, Reject, RoundEnd, ToAllShards
from state.learning.delta import Delta
from state.learning.population_version import PopulationWrite
from state.learning.proof_report import ReportWrite
from state.user.writes import AnyWrite, Write

FLOW_ID = "adaptation"
ADAPT_STEP = "adapt"
TRAIN_STEP = "train"
LEARN_STEP = "learn_population"
POPULATION_KEY = "population"
ACCOUNT_STEP = "account"
"""Names under which Bytewax stores state; after a change, a run would start without state and without an error."""

Key = Callable[[Sequence[Record | ToAllShards]], Iterable[Group | Reject | Counted]]
"""Type of `operators.key.Keyer`, with counts or without."""

BuildAdapt = Callable[[bytes | None], CountedStep | StatefulBatchLogic[Records | ToAllShards, Any, bytes]]
"""Snapshot of a shard, or None for a new shard → logic of the shard. Bytewax does not pass the shard's key."""

BuildTrain = Callable[[bytes | None], TrainShard]
"""Snapshot of a shard's training, or None for a new one → its logic."""

Learn = LearnPopulation | Prove | Rounds[PopulationWrite] | Rounds[ReportWrite]
BuildLearn = Callable[[bytes | None], Learn]
"""Snapshot of the population model, or None for a new one → logic of its training, or of proof alone."""

_AnyLearn = Callable[[bytes | None], StatefulBatchLogic[Any, PopulationWrite | ReportWrite, bytes]]

BuildAccount = Callable[[bytes | None], AccountStep]
"""Snapshot of the account, or None for a new one → its logic."""


def build(
    source: Source[Any],
    key: Key,
    build_adapt: BuildAdapt,
    build_train: BuildTrain,
    build_learn: BuildLearn,
    writes: Sink[Write] | Sink[AnyWrite],
    versions: Sink[PopulationWrite | ReportWrite],
    rejects: Sink[AnyReject],
    control_rejects: Sink[AnyReject],
    build_account: BuildAccount | None = None,
) -> Dataflow:
    """Return the dataflow of sources, steps and sinks; without an account, no step passes counts on."""
    flow = Dataflow(FLOW_ID)
    records = op.input("source", flow, cast("Source[Record | ToAllShards]", source))
    keyed = op.branch("keyed", op.flat_map_batch("key", records, key), _is_decided)
    groups = cast("KeyedStream[Records | ToAllShards]", keyed.falses)
    adapted = op.stateful_batch(ADAPT_STEP, groups, build_adapt)
    taught = op.branch("taught", adapted, _is_for_training)
    out = op.branch("adapted", op.key_rm("no_shard", taught.falses), _is_decided)
    op.output("signals", cast("Stream[AnyWrite]", out.falses), cast("Sink[AnyWrite]", writes))
    deltas = op.stateful_batch(TRAIN_STEP, taught.trues, build_train)
    learned = op.map("to_population", deltas, _to_population)
    op.output(
        "versions",
        op.key_rm("no_key", op.stateful_batch(LEARN_STEP, learned, cast("_AnyLearn", build_learn))),
        versions,
    )
    decided = op.merge("all_rejects", keyed.trues, out.trues)
    rejected = cast("Stream[Reject]", decided)
    if build_account is not None:
        counted = op.branch("counted", decided, _is_counted)
        rejected = cast("Stream[Reject]", counted.falses)
        counts = op.key_on("to_account", counted.trues, lambda _: ACCOUNT_STEP)
        op.stateful_batch(ACCOUNT_STEP, counts, build_account)
    others = op.filter("other_rejects", rejected, lambda reject: not reject.control)
    op.output("rejects", cast("Stream[AnyReject]", others), rejects)
    controls = op.filter("only_control_rejects", rejected, lambda reject: bool(reject.control))
    op.output("control_rejects", cast("Stream[AnyReject]", controls), control_rejects)
    return flow


def _is_decided(item: object) -> TypeGuard[Reject | Counted]:
    return isinstance(item, Reject | Counted)


def _is_counted(item: Reject | Counted) -> TypeGuard[Counted]:
    return isinstance(item, Counted)


def _is_for_training(item: tuple[str, object]) -> TypeGuard[tuple[str, Examples | RoundEnd]]:
    return isinstance(item[1], Examples | RoundEnd)


def _to_population(item: tuple[str, Delta]) -> tuple[str, Delta]:
    return POPULATION_KEY, item[1]
