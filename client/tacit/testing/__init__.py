"""Help for the tests of an assistant: a reader and an emitter in memory, without Redis, Kafka or network.

`pytest_plugins = ["tacit.testing.plugin"]` in the `conftest.py` of the root gives the fixtures `tacit_reader`,
`tacit_async_reader` and `tacit_emitter`; a fixture `tacit_catalogue` of your own replaces the catalogue.
"""

from tacit.testing.readers import FakeAsyncSignalReader, FakeSignalReader
from tacit.testing.recording import RecordingEmitter

__all__ = ["FakeAsyncSignalReader", "FakeSignalReader", "RecordingEmitter"]
