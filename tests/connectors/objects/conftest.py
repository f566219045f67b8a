"""Stores of both kinds: a bucket of a real S3 server, and a folder."""

from itertools import count
from pathlib import Path

import pytest

from connectors.objects.store import ObjectStore
from tests.support.object_server import BUCKET, opened, s3, s3_server

__all__ = ["s3", "s3_server"]

_NUMBERS = count()


@pytest.fixture(params=[pytest.param("bucket", marks=pytest.mark.server), "folder"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Return the URL of an empty store."""
    if request.param == "folder":
        return f"file://{tmp_path}"
    request.getfixturevalue("s3")
    return f"s3://{BUCKET}/{tmp_path.name}-{next(_NUMBERS)}"


@pytest.fixture
def objects(url: str) -> ObjectStore:
    """Return an empty store."""
    return opened(url)
