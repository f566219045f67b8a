"""Dataflow of a parity run: that of a replay over some users, into memory, with a fixed population version."""

from dataclasses import replace
from typing import cast

from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink, StatelessSinkPartition

from connectors.null_sink import NullSink
from dataflows.formats import parser_of
from dataflows.graph import BuildLearn, BuildTrain, build
from dataflows.job import Job
from dataflows.parity.replayed import ReplayedUsers
from dataflows.rules import rules_of
from dataflows.runtime.first_error import FirstError
from dataflows.runtime.stopping import stopped_by_signals
from dataflows.runtime.worker import WorkerAddress, run_flow
from operators.adapt import Adapt
from operators.selecting_keyer import Selected, SelectingKeyer
from state.counters import Counters
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_version import PopulationVersion
from state.storage.shard_stores import ShardStores
from state.user.writes import Write
from tacit.errors import TacitError


def replay_users(job: Job, users: frozenset[bytes], population: PopulationVersion | None) -> ReplayedUsers:
    """Run the history of some users again, and return their signals; records of other users are skipped early.

    Nothing is written: no signal, no reject and no population version. Nothing is learned for other users.

    Args:
        job: bounded job.
        users: pseudonyms.
        population: version that all signals are computed with; None: none.

    Raises:
        TacitError: the first error of the run, or a stop request before its end.
    """
    settings, counters, first_error = job.settings, Counters(), FirstError()
    catalogue = rules_of(settings).catalogue
    prior = Prior(catalogue, population) if population else Prior(catalogue)
    rules = replace(rules_of(settings), teaches=False, proves=False, population=prior)
    replayed, shared = ReplayedUsers(settings.ttl_ms), CurrentPrior(prior)
    with (
        stopped_by_signals() as stop,
        ShardStores(None, settings.shards, catalogue, cached_users=settings.cache) as stores,
    ):
        parser = parser_of(settings, catalogue, counters.events, stop.requested)
        keyer = SelectingKeyer(parser, settings.shards, counters.events, Selected(users))
        source = job.make_source(stop.requested, counters.source)
        source.list_parts()  # raises an error of the source before any other start
        flow = build(
            first_error.watch(source),
            first_error.watch_call(keyer),
            first_error.watch_build(lambda token: Adapt(stores, rules, counters.events, parser, token, shared=shared)),
            cast("BuildTrain", lambda _: NoLearning()),
            cast("BuildLearn", lambda _: NoLearning()),
            first_error.watch(MemorySink(replayed)),
            NullSink(),
            NullSink(),
            NullSink(),
        )
        run_flow(flow, settings.checkpoint_every, WorkerAddress(), None, first_error)
        if stop.requested.is_set():
            raise TacitError("parity: stopped before the end of the history, and nothing was compared; run it again")
    return replayed


class MemorySink(DynamicSink[Write], StatelessSinkPartition[Write]):
    """Sink of the one worker into memory."""

    def __init__(self, users: ReplayedUsers) -> None:
        self._users = users

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "MemorySink":  # noqa: ARG002  Bytewax passes all three
        """Return the sink itself."""
        return self

    def write_batch(self, items: list[Write]) -> None:
        """Take in the writes."""
        self._users.apply(items)


class NoLearning(StatefulBatchLogic[object, object, bytes]):
    """Step in the place of training: the run makes no examples."""

    def on_batch(self, values: list[object]) -> tuple[list[object], bool]:  # noqa: ARG002  Bytewax passes it
        """Return nothing."""
        return [], StatefulBatchLogic.DISCARD

    def snapshot(self) -> bytes:
        """Return no state."""
        return b""
