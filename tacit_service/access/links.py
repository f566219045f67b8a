"""User links and page sessions: encrypted tokens (JWE), so that neither an address nor a cookie shows a user id."""

from collections.abc import Callable
from hashlib import sha256
from time import time
from typing import Any, NamedTuple

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import OctKey

MAX_LINK_S = 900
DEFAULT_LINK_S = 300
SESSION_S = 1800
"""Lifetime of a page session, which each use renews."""

_HEADER = {"alg": "dir", "enc": "A256GCM"}
_MAX_TOKEN = 2048
_LINK, _SESSION = "link", "session"


class Visitor(NamedTuple):
    """User of the page."""

    user_id: str
    language: str | None


class Links:
    """Maker and reader of the tokens.

    Args:
        secret: key, 16 bytes or more.
        clock_s: Unix time in seconds.
    """

    def __init__(self, secret: str, clock_s: Callable[[], float] = time) -> None:
        self._key = OctKey.import_key(sha256(b"tacit user links" + secret.encode()).digest())
        self._registry = JWERegistry(algorithms=list(_HEADER.values()))
        self._clock_s = clock_s

    def link(self, visitor: Visitor, lifetime_s: int) -> tuple[str, int]:
        """Return the token of a link, and its end in Unix seconds."""
        return self._made(_LINK, visitor, lifetime_s)

    def session(self, visitor: Visitor) -> str:
        """Return the token of a page session."""
        return self._made(_SESSION, visitor, SESSION_S)[0]

    def read_link(self, token: str) -> Visitor | None:
        """Return the user of a link; None: the link is not valid, or is over."""
        return self._read(_LINK, token)

    def read_session(self, token: str) -> Visitor | None:
        """Return the user of a page session, likewise."""
        return self._read(_SESSION, token)

    def _made(self, use: str, visitor: Visitor, lifetime_s: int) -> tuple[str, int]:
        end_s = int(self._clock_s()) + lifetime_s
        claims: dict[str, Any] = {"use": use, "sub": visitor.user_id, "exp": end_s, "lang": visitor.language}
        return jwt.encode(_HEADER, claims, self._key, registry=self._registry), end_s

    def _read(self, use: str, token: str) -> Visitor | None:
        if len(token) > _MAX_TOKEN:
            return None
        try:
            claims = jwt.decode(token, self._key, registry=self._registry).claims
        except (JoseError, ValueError, TypeError, KeyError):
            return None
        if claims.get("use") != use or claims.get("exp", 0) <= self._clock_s():
            return None
        return Visitor(claims["sub"], claims.get("lang"))
