"""Steps of a dataflow: as they are, or with spans. This module imports nothing of OpenTelemetry by itself."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from bytewax.operators import StatefulBatchLogic
from bytewax.outputs import DynamicSink

from operators.adapt import Adapt, Parse
from operators.key import Group
from state.account import Counted
from state.events.records import Record, Records, Reject, ToAllShards

Key = Callable[[Sequence[Record | ToAllShards]], Iterable[Group | Reject | Counted]]
AdaptLogic = StatefulBatchLogic[Records | ToAllShards, Any, bytes]


class Steps:
    """Steps as they are; `dataflows.observability.tracing.traced` has the other kind."""

    def parse(self, parse: Parse) -> Parse:
        """Return the parser of the process."""
        return parse

    def key(self, key: Key) -> Key:
        """Return the first step."""
        return key

    def adapt(self, adapt: Adapt) -> AdaptLogic:
        """Return the stateful step of a shard."""
        return adapt

    def sink(self, sink: DynamicSink[Any]) -> DynamicSink[Any]:
        """Return the sink of writes."""
        return sink


@contextmanager
def traced_steps(url: str | None, region: str, shards: int, *, keeps_state: bool) -> Iterator[Steps]:
    """Yield the steps of a run, with spans if there is a collector.

    Args:
        url: base URL of the collector; None: no spans.
        region: region of the users.
        shards: number of shards.
        keeps_state: True for a run with checkpoints.
    """
    if url is None:
        yield Steps()
        return
    from dataflows.observability.tracing.export import exported_spans
    from dataflows.observability.tracing.traced import TracedSteps

    with exported_spans(url, region, keeps_state=keeps_state) as spans:
        yield TracedSteps(spans, shards)
