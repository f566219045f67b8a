"""Steps of a run with a collector and without one."""

import subprocess
import sys

from connectors.null_sink import NullSink
from dataflows.observability.tracing.sink import TracedSink
from dataflows.observability.tracing.steps import traced_steps
from dataflows.observability.tracing.traced import TracedSteps
from tests.support.parser import make_parser
from tests.support.spans import KeptSpans

CODE = """
import sys
from dataflows.observability.tracing.steps import traced_steps
import dataflows.runtime.worker
with traced_steps(None, "eu", 16, keeps_state=True) as steps:
    print(steps.parse(sys.exit) is sys.exit, "dataflows.observability.tracing.spans" in sys.modules)
"""


def test_run_without_a_collector_imports_nothing_and_changes_no_step() -> None:
    """So tracing costs nothing where it is off; redis-py imports parts of OpenTelemetry by itself."""
    done = subprocess.run([sys.executable, "-c", CODE], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "True False\n"


def test_steps_with_a_collector_have_spans() -> None:
    """The parser is timed in batches with a sampled event only."""
    steps = TracedSteps(KeptSpans(), 16)
    parse = steps.parse(make_parser())
    assert parse([]) == ([], [], [])
    assert isinstance(steps.sink(NullSink()), TracedSink)
    with traced_steps("http://127.0.0.1:1", "eu", 16, keeps_state=False) as found:
        assert isinstance(found, TracedSteps)
