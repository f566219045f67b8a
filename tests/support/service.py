"""The HTTP service as a real process, and its clients."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2

from tests.support.commands import NONE, Limits, Running, running, tacit
from tests.support.ports import free_port

ALL = "choose,send,manage,export"
KEYS = "keys.jsonl"
PATIENT = {
    "tacit.reader.transport.TIMEOUT_S": 5.0,
    "tacit.reader.transport.CONNECT_TIMEOUT_S": 5.0,
    "tacit.reader.transport.MAX_ROUND_TRIP_S": 10.0,
}
"""Limits of the service in tests: a busy machine must not look like a Redis that is away."""
LINK_SECRET = "fedcba9876543210fedcba9876543210"


def made_key(folder: Path, name: str = "assistant", scopes: str = ALL, *more: str) -> str:
    """Make a key in the file of a folder, and return it."""
    done = tacit("token", name, "--keys", KEYS, "--scope", scopes, *more, cwd=folder)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass
class Service:
    """A running service, and a client with a key of all scopes."""

    url: str
    folder: Path
    run: Running
    client: httpx2.Client
    key: str

    def with_key(self, key: str) -> httpx2.Client:
        """Return a client with another key; none if it is empty."""
        headers = {"Authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=self.url, headers=headers, timeout=30)

    def audit(self) -> list[dict[str, Any]]:
        """Return the lines of the audit."""
        path = self.folder / "audit.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def serving(folder: Path, redis: str, *words: str, limits: Limits = NONE, **variables: str) -> Iterator[Service]:
    """Run `tacit serve` in a folder, with an audit there, and yield it once it answers."""
    key = made_key(folder) if not (folder / KEYS).exists() else made_key(folder, "another")
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = ["serve", "--redis", redis, "--listen", f"127.0.0.1:{port}", "--keys", KEYS, "--audit", "audit.jsonl"]
    settings = {"TACIT_LINK_SECRET": LINK_SECRET, **variables}
    with (
        running([*command, *words], folder / "serve.log", {**PATIENT, **limits}, **settings) as run,
        httpx2.Client(base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=30) as client,
    ):
        run.wait_for(lambda: _is_alive(client), "an answer of the service")
        yield Service(url, folder, run, client, key)


def _is_alive(client: httpx2.Client) -> bool:
    try:
        return client.get("/livez").status_code == 200
    except httpx2.TransportError:
        return False


def problem(answer: httpx2.Response, kind: str, status: int) -> dict[str, Any]:
    """Return the problem details of an answer, after a check of their form."""
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json"), answer.text
    found: dict[str, Any] = answer.json()
    assert found["type"] == f"/problems/{kind}"
    assert found["status"] == status
    assert found["request_id"] == answer.headers["x-request-id"]
    return found


def messages(lines: Iterator[str], number: int) -> Sequence[dict[str, str]]:
    """Return the next messages of a stream of events, without comments."""
    found: list[dict[str, str]] = []
    message: dict[str, str] = {}
    for line in lines:
        if line and not line.startswith(":"):
            name, _, text = line.partition(": ")
            message[name] = text
        elif message:
            found.append(message)
            message = {}
            if len(found) == number:
                break
    return found
