"""HTML for browsers: answers, redirects, templates and static files of the page and of the console."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fastapi import FastAPI
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import Response

from tacit_service.http.answers import Answer
from tacit_service.http.problems import ProblemError

HTML = "text/html; charset=utf-8"

_POLICY = "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'"
_TYPES = {".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml"}
_FILE_HEADERS = {"Cache-Control": "public, max-age=3600"}


def html_answer(status: int, document: bytes, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a document that loads only files of this service."""
    return Answer(status, document, HTML, {"Content-Security-Policy": _POLICY, **(headers or {})})


def redirect(address: str, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer after which a browser gets another address."""
    return Answer(303, b"", HTML, {"Location": address, **(headers or {})})


def templates(folder: Path, extensions: Sequence[str] = ()) -> Environment:
    """Return the Jinja2 templates of a folder, with autoescape."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        extensions=extensions,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def add_files(app: FastAPI, path: str, folder: Path) -> None:
    """Add the route of the static files of a folder, which are read now."""
    paths = (each for each in folder.iterdir() if each.suffix in _TYPES)
    files = {each.name: Answer(200, each.read_bytes(), _TYPES[each.suffix], _FILE_HEADERS) for each in paths}

    async def static(request: Request) -> Response:
        if found := files.get(request.path_params["name"]):
            return found
        raise ProblemError("not-found", "There is no such file.")

    app.add_api_route(f"{path}/{{name}}", static, methods=["GET"], response_class=Response)
