"""Fixtures for pytest: `pytest_plugins = ["tacit.testing.plugin"]` in the `conftest.py` of the root."""

import pytest

from tacit.contract.catalogue import Catalogue
from tacit.testing.readers import FakeAsyncSignalReader, FakeSignalReader
from tacit.testing.recording import RecordingEmitter


@pytest.fixture
def tacit_catalogue() -> Catalogue:
    """Return the catalogue of the package; define a fixture of this name for another one."""
    return Catalogue.load()


@pytest.fixture
def tacit_reader(tacit_catalogue: Catalogue) -> FakeSignalReader:
    """Return a reader without users."""
    return FakeSignalReader(tacit_catalogue)


@pytest.fixture
def tacit_async_reader(tacit_reader: FakeSignalReader) -> FakeAsyncSignalReader:
    """Return an asyncio reader of the users of `tacit_reader`."""
    return FakeAsyncSignalReader(tacit_reader)


@pytest.fixture
def tacit_emitter(tacit_catalogue: Catalogue) -> RecordingEmitter:
    """Return an emitter that records, without events."""
    return RecordingEmitter(tacit_catalogue)
