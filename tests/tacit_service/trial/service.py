"""A `tacit serve` process with its keys, and requests to it: whole ones, and raw bytes."""

import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import Any

from tacit_service.access.callers import SCOPES, Scope
from tacit_service.access.key_file import hashed, new_key
from tests.support.commands import NONE, Limits, Running, running, tacit
from tests.support.ports import free_port
from tests.support.replays import write_history
from tests.support.service import LINK_SECRET, PATIENT

CANARY = "canary-4f1d"
"""Part of every user id of the trial: no log may have it."""
UNLIMITED = ("--rate-token", "1000000", "--rate-user", "1000000")
WITHIN_S = 60.0
"""Time limit of a client, far above those of the service: a busy machine is no fault."""


@dataclass(frozen=True, slots=True)
class Answer:
    """Answer to a request; `status` 0: the service closed the connection without one."""

    status: int
    headers: Mapping[str, str]
    """Names are in lower case."""
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)

    @property
    def problem(self) -> str:
        """Kind of the problem in the answer."""
        assert self.headers["content-type"] == "application/problem+json", self
        found = self.document
        assert found["status"] == self.status
        assert found["request_id"] == self.headers["x-request-id"]
        return str(found["type"]).removeprefix("/problems/")


@dataclass(frozen=True, slots=True)
class Served:
    """A running service."""

    port: int
    run: Running
    keys: Mapping[str, str]
    """Scope → key with this scope only; `all` → key with all scopes."""

    def ask(
        self, method: str, path: str, body: Any = None, *, key: str = "all", headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Return the answer to a request; a body that is not bytes is sent as JSON, and an empty key is not sent."""
        data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        sent = {"Host": "localhost", "Connection": "close"}
        if key:
            sent["Authorization"] = f"Bearer {self.keys.get(key, key)}"
        if data:
            sent |= {"Content-Type": "application/json", "Content-Length": str(len(data))}
        lines = [f"{name}: {value}" for name, value in (sent | dict(headers or {})).items()]
        return self.raw("\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode("latin-1") + data, method)

    def raw(self, data: bytes, method: str = "GET") -> Answer:
        """Return the answer to raw bytes."""
        with closing(self.connect()) as connection:
            with suppress(ConnectionError):  # the service may answer before it has all
                connection.sendall(data)
            return answer_from(connection, method)

    def connect(self) -> socket.socket:
        """Return a new connection."""
        return socket.create_connection(("127.0.0.1", self.port), timeout=WITHIN_S)

    def head(self, method: str, path: str, *lines: str, key: str = "all") -> bytes:
        """Return the head of a request with a key and further lines."""
        fixed = (f"{method} {path} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {self.keys.get(key, key)}")
        return "\r\n".join([*fixed, *lines, "", ""]).encode("latin-1")

    def choose(self, user: str = f"{CANARY}-choice") -> Answer:
        """Return the answer to a plain request of a choice."""
        return self.ask("POST", "/v1/choices", {"user": user, "unit": "conversation"}, key="choose")

    @property
    def rss_mib(self) -> float:
        """Memory of the process."""
        pages = int(Path(f"/proc/{self.run.process.pid}/statm").read_text().split()[1])
        return pages * 4096 / (1 << 20)

    @property
    def descriptors(self) -> int:
        """Open file descriptors of the process."""
        return len([*self._descriptors.iterdir()])

    def end_of(self, connection: socket.socket) -> str:
        """Return the service's end of a connection, as its descriptor names it."""
        own, other = connection.getsockname()[1], connection.getpeername()[1]
        for line in Path("/proc/net/tcp").read_text().splitlines():
            _, local, remote, *rest = line.split()
            if local.endswith(f":{other:04X}") and remote.endswith(f":{own:04X}"):
                return f"socket:[{rest[6]}]"
        raise AssertionError("the service has no such connection")

    def has_open(self, end: str) -> bool:
        """Return True while the process has a descriptor of a connection."""
        for path in self._descriptors.iterdir():
            with suppress(FileNotFoundError):  # closed meanwhile
                if str(path.readlink()) == end:
                    return True
        return False

    @property
    def _descriptors(self) -> Path:
        return Path(f"/proc/{self.run.process.pid}/fd")

    def assert_nothing_leaked(self) -> None:
        """Fail if the output has a user id, a key, or a signed or encrypted token."""
        output = self.run.output
        for secret in (CANARY, "tk_", "eyJ", LINK_SECRET, *self.keys.values()):
            assert secret not in output, output[max(0, output.find(secret) - 200) : output.find(secret) + 200]
        assert "Traceback" not in output, output


def answer_from(connection: socket.socket, method: str = "GET") -> Answer:
    """Return the answer on a connection."""
    response = HTTPResponse(connection, method=method)
    try:
        response.begin()
        with suppress(ConnectionResetError):  # the service closed while the client was sending
            return Answer(response.status, _lower(response), response.read())
    except (HTTPException, ConnectionError):
        pass
    finally:
        response.close()
    return Answer(0, {}, b"")


def _lower(response: HTTPResponse) -> dict[str, str]:
    return {name.lower(): value for name, value in response.getheaders()}


@contextmanager
def served(
    folder: Path, redis_url: str, *words: str, limits: Limits = NONE, logs: str = "info", **variables: str
) -> Iterator[Served]:
    """Yield a service with a key per scope and one with all; afterwards, check its log.

    Args:
        folder: folder of its log and keys.
        redis_url: Redis.
        words: further words of the command.
        limits: as in `running`; without those of reads, a read waits for a slow Redis.
        logs: least level of log lines.
        variables: environment.
    """
    keys = write_keys(folder / "keys.jsonl", {"all": SCOPES} | {scope: (scope,) for scope in SCOPES})
    port = free_port()
    listen = ("--listen", f"127.0.0.1:{port}", "--redis", redis_url, "--keys", str(folder / "keys.jsonl"))
    command = ["serve", *listen, "--log-level", logs, "--log-json", *words]
    secrets = {"TACIT_LINK_SECRET": LINK_SECRET} | variables
    with running(command, folder / "service.log", {**PATIENT, **limits}, **secrets) as run:
        found = Served(port, run, keys)
        run.wait_for(lambda: is_alive(port), "the service answers")
        yield found
        if run.process.poll() is None:
            run.stop()
        found.assert_nothing_leaked()


def is_alive(port: int) -> bool:
    """Return True if the service answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=WITHIN_S) as connection:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return answer_from(connection).status == 200
    except OSError:
        return False


def write_keys(path: Path, scopes: Mapping[str, Sequence[Scope]]) -> dict[str, str]:
    """Write a file of keys, and return name → key."""
    keys = {name: new_key() for name in scopes}
    lines = [json.dumps({"name": name, "sha256": hashed(keys[name], name, []).sha256, "scopes": list(scopes[name])})
             for name in scopes]  # fmt: skip
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return keys


def learned(folder: Path, redis_url: str) -> Path:
    """Process a short history of simulated users, and return the state folder."""
    write_history(folder / "history.jsonl", users=8, turns=160)
    state = folder / "state"
    done = tacit("replay", str(folder / "history.jsonl"), "--state", str(state), "--redis", redis_url, cwd=folder)
    assert done.returncode == 0, done.stderr
    return state
