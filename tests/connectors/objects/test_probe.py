"""The probe of a store."""

import pytest

from connectors.objects.probe import require_conditions
from connectors.objects.store import ObjectStore
from state.errors import ObjectRefusedError
from tests.support.http_answers import answer, answering
from tests.support.object_server import BUCKET, READER_KEY, READER_SECRET, ObjectServer, opened

WRITTEN = answer("200 OK", headers='ETag: "e"\r\n')


def test_store_with_conditions_passes_and_stays_empty(objects: ObjectStore) -> None:
    require_conditions(objects)
    assert list(objects.list()) == []


def test_store_that_ignores_conditions_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some servers with the API of S3 answer every write with 200."""
    answers = [WRITTEN, WRITTEN, answer("200 OK", "<DeleteResult/>")]
    with answering(monkeypatch, answers), pytest.raises(ObjectRefusedError) as error:
        require_conditions(opened("s3://backups/tacit"))
    assert str(error.value).startswith("s3://backups/tacit does not obey If-None-Match: two clusters could write at o")


def test_reader_is_refused(s3: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in s3.environment(READER_KEY, READER_SECRET).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ObjectRefusedError, match="no rights"):
        require_conditions(opened(f"s3://{BUCKET}/probe"))
