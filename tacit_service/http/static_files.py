"""Static files of a page, read at the start."""

from collections.abc import Mapping
from pathlib import Path

from tacit_service.http.answers import Answer

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HEADERS = {"Cache-Control": "public, max-age=3600"}


def static_files(folder: Path) -> Mapping[str, Answer]:
    """Return file name → answer."""
    paths = (path for path in folder.iterdir() if path.suffix in _TYPES)
    return {path.name: Answer(200, path.read_bytes(), _TYPES[path.suffix], _HEADERS) for path in paths}
