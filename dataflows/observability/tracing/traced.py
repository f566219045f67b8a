"""Steps of a dataflow with spans of the sampled events."""

from typing import Any

from bytewax.outputs import DynamicSink

from dataflows.observability.tracing.adapt import TimedParse, TracedAdapt
from dataflows.observability.tracing.keyer import TracedKeyer
from dataflows.observability.tracing.sink import TracedSink
from dataflows.observability.tracing.spans import Spans
from dataflows.observability.tracing.steps import AdaptLogic, Key, Steps
from operators.adapt import Adapt, Parse


class TracedSteps(Steps):
    """Steps of one process, which call its parser from one thread."""

    def __init__(self, spans: Spans, shards: int) -> None:
        self._spans = spans
        self._shards = shards
        self._parse: TimedParse | None = None

    def parse(self, parse: Parse) -> Parse:
        """Return the parser with its times; before `adapt`."""
        self._parse = TimedParse(parse)
        return self._parse

    def key(self, key: Key) -> Key:
        """Return the first step with spans."""
        return TracedKeyer(key, self._spans)

    def adapt(self, adapt: Adapt) -> AdaptLogic:
        """Return the stateful step with spans."""
        assert self._parse is not None  # noqa: S101  # the step was built with it
        return TracedAdapt(adapt, self._parse, self._shards, self._spans)

    def sink(self, sink: DynamicSink[Any]) -> DynamicSink[Any]:
        """Return the sink with spans."""
        return TracedSink(sink, self._spans)
