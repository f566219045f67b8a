"""Static files of the page, read at the start.

`htmx.min.js` is htmx 4.0.1, unchanged, under the Zero-Clause BSD licence: `npm pack htmx.org` has a newer one.
"""

from collections.abc import Mapping
from pathlib import Path

from tacit_service.http.answers import Answer

FOLDER = Path(__file__).with_name("static")

_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_HEADERS = {"Cache-Control": "public, max-age=3600"}


def static_files() -> Mapping[str, Answer]:
    """Return file name → answer."""
    paths = (path for path in FOLDER.iterdir() if path.suffix in _TYPES)
    return {path.name: Answer(200, path.read_bytes(), _TYPES[path.suffix], _HEADERS) for path in paths}
