"""HTTP API of Tacit as a destination: POST /v1/events."""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple
from urllib.parse import SplitResult, urlsplit

import msgspec

from tacit.errors import ConfigurationError
from tacit.sender.destination import ACCEPTED, DeliveryError, EncodedEvent, Outcome

if TYPE_CHECKING:
    from http.client import HTTPConnection

TIMEOUT_S = 5.0
"""Time limit for a connection, and for each wait for the server."""
MAX_ANSWER_BYTES = 1 << 20
MAX_RETRY_AFTER_S = 60.0

_KEY = re.compile(r"[\x21-\x7e]+")
_PATH = re.compile(r"[\x21-\x7e]*")
_REFUSED = (400, 413, 415, 422)
"""Statuses of a body that the server will never take."""


class _EventOutcome(msgspec.Struct, frozen=True):
    outcome: Literal["accepted", "rejected", "failed"]
    reason: str = ""


class _Outcomes(msgspec.Struct, frozen=True):
    outcomes: list[_EventOutcome]


class _Problem(msgspec.Struct, frozen=True):
    """Problem details (RFC 9457)."""

    type: str = ""


_decode_outcomes = msgspec.json.Decoder(_Outcomes).decode
_decode_problem = msgspec.json.Decoder(_Problem).decode


class _Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class ServiceApi:
    """The HTTP API of a running `tacit serve`, by one connection that stays open.

    Args:
        url: `http://HOST:PORT` or `https://HOST`, with a path if a proxy serves the API below one.
        key: a service key or JWT with the scope `send`, and `manage` for control events.
        timeout_s: time limit for a connection, and for each wait for the server.

    Raises:
        ConfigurationError: the URL has another form, or the key has a character that no header may have.
    """

    def __init__(self, url: str, key: str, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = _parts(url)
        if parts is None:
            raise ConfigurationError(["URL of the HTTP API: http://HOST:PORT or https://HOST:PORT, without a password"])
        if not _KEY.fullmatch(key):
            raise ConfigurationError(["key of the HTTP API: it is empty, or has a character that no header may have"])
        self._is_secure, self._host = parts.scheme == "https", parts.hostname or ""
        self._port = parts.port or (443 if self._is_secure else 80)  # http.client finds one in an IPv6 address
        self._path = f"{parts.path.rstrip('/')}/v1/events"
        self._timeout_s = timeout_s
        self._headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
        self._connection: HTTPConnection | None = None

    def deliver(self, events: Sequence[EncodedEvent]) -> Sequence[Outcome]:
        """Post the events in one body; in parts if the server refuses the whole body.

        Raises:
            DeliveryError: the server does not answer, does not take the key, or takes no events for now.
        """
        answer = self._post(b"[" + b",".join([event.data for event in events]) + b"]")
        if answer.status == 202:
            return [ACCEPTED] * len(events)
        if answer.status == 207:
            return _outcomes(answer.body, len(events))
        if answer.status not in _REFUSED:
            raise DeliveryError(f"http: status {answer.status}", retry_after_s=_retry_after_s(answer.headers))
        if len(events) == 1:
            return [Outcome("rejected", _kind(answer))]
        half = len(events) // 2
        return [*self.deliver(events[:half]), *self.deliver(events[half:])]

    def forget_connections(self) -> None:
        """Close the socket of this process alone; the parent's stays open."""
        self.close()

    def close(self) -> None:
        """Close the connection."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _post(self, body: bytes) -> _Answer:
        from http.client import HTTPException  # 20 ms, which other destinations do not need

        was_open = self._connection is not None
        try:
            return self._answer(body)
        except (OSError, HTTPException) as error:
            self.close()
            if not was_open or isinstance(error, TimeoutError):
                raise DeliveryError(f"http: {type(error).__name__}") from error
        try:  # the server may have closed an idle connection; a repeat of events is ignored
            return self._answer(body)
        except (OSError, HTTPException) as error:
            self.close()
            raise DeliveryError(f"http: {type(error).__name__}") from error

    def _answer(self, body: bytes) -> _Answer:
        from http.client import HTTPConnection, HTTPSConnection

        if self._connection is None:
            kind = HTTPSConnection if self._is_secure else HTTPConnection
            self._connection = kind(self._host, self._port, timeout=self._timeout_s)
        self._connection.request("POST", self._path, body, self._headers)
        response = self._connection.getresponse()
        data = response.read(MAX_ANSWER_BYTES)
        if response.read(1):
            self.close()
        return _Answer(response.status, {name.lower(): value for name, value in response.getheaders()}, data)


def _parts(url: str) -> SplitResult | None:
    """Return the parts of a URL; None: it is none of an HTTP API."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    is_plain = port != 0 and not parts.query and not parts.username
    has_path = _PATH.fullmatch(parts.path) is not None
    return parts if parts.scheme in {"http", "https"} and parts.hostname and is_plain and has_path else None


def _outcomes(body: bytes, count: int) -> list[Outcome]:
    try:
        found = _decode_outcomes(body).outcomes
    except (msgspec.MsgspecError, UnicodeDecodeError):
        found = []
    if len(found) != count:
        raise DeliveryError("http: an answer without an outcome per event")
    return [Outcome(each.outcome, each.reason) for each in found]


def _kind(answer: _Answer) -> str:
    """Return the last part of the problem's type, else the status."""
    try:
        name = _decode_problem(answer.body).type.rpartition("/")[2]
    except (msgspec.MsgspecError, UnicodeDecodeError):
        name = ""
    return name[:64] or f"status_{answer.status}"


def _retry_after_s(headers: Mapping[str, str]) -> float:
    text = headers.get("retry-after", "")
    return min(float(text), MAX_RETRY_AFTER_S) if text.isdecimal() else 0.0
