"""The peers' job on PyFlink, as its documentation describes keyed state, with Python in the threads of the JVM.

python -m benchmarks.peers.flink_job events.jsonl unix://…
"""

import sys
from collections.abc import Iterator
from typing import Any

import redis
from pyflink.common import Configuration, Types, WatermarkStrategy
from pyflink.datastream import KeyedProcessFunction, MapFunction, RuntimeContext, StreamExecutionEnvironment
from pyflink.datastream.connectors.file_system import FileSource, StreamFormat
from pyflink.datastream.state import ValueStateDescriptor

from benchmarks.peers.job import BATCH, Event, User, key_of, parse, step


class Learn(KeyedProcessFunction):
    """The step of the job, with the user as value state."""

    def open(self, runtime_context: RuntimeContext) -> None:
        self._user = runtime_context.get_state(ValueStateDescriptor("user", Types.PICKLED_BYTE_ARRAY()))

    def process_element(self, value: Event, ctx: Any) -> Iterator[tuple[str, str]]:
        user = self._user.value() or User()
        signal = step(user, value)
        self._user.update(user)
        yield value["user_id"], signal


class WriteToRedis(MapFunction):
    """The sink: a pipeline of signals."""

    def __init__(self, url: str) -> None:
        self._url = url

    def open(self, runtime_context: RuntimeContext) -> None:
        self._pipeline = redis.Redis.from_url(self._url).pipeline(transaction=False)

    def map(self, value: tuple[str, str]) -> str:
        self._pipeline.set(key_of(value[0]), value[1])
        if len(self._pipeline) >= BATCH:
            self._pipeline.execute()
        return value[0]

    def close(self) -> None:
        self._pipeline.execute()


def main(path: str, url: str) -> None:
    """Process a file."""
    config = Configuration()
    config.set_string("python.execution-mode", "thread")
    config.set_string("python.executable", sys.executable)
    env = StreamExecutionEnvironment.get_execution_environment(config)
    env.set_parallelism(1)
    source = FileSource.for_record_stream_format(StreamFormat.text_line_format(), path).build()
    lines = env.from_source(source, WatermarkStrategy.no_watermarks(), "events")
    events = lines.map(parse, Types.PICKLED_BYTE_ARRAY()).filter(lambda event: event is not None)
    users = events.key_by(lambda event: event["user_id"], Types.STRING())
    signals = users.process(Learn(), Types.TUPLE([Types.STRING(), Types.STRING()]))
    signals.map(WriteToRedis(url), Types.STRING())
    env.execute("peers")


if __name__ == "__main__":
    main(*sys.argv[1:])
