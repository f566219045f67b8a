"""User links and page sessions, as encrypted tokens."""

from collections.abc import Callable
from time import time
from typing import NamedTuple

from tacit_service.access.encrypted_tokens import EncryptedTokens

MAX_LINK_S = 900
DEFAULT_LINK_S = 300
SESSION_S = 1800
"""Lifetime of a page session, which each use renews."""

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
        self._tokens = EncryptedTokens(secret, clock_s)

    def link(self, visitor: Visitor, lifetime_s: int) -> tuple[str, int]:
        """Return the token of a link, and its end in Unix seconds."""
        return self._make(_LINK, visitor, lifetime_s)

    def session(self, visitor: Visitor) -> str:
        """Return the token of a page session."""
        return self._make(_SESSION, visitor, SESSION_S)[0]

    def read_link(self, token: str) -> Visitor | None:
        """Return the user of a link; None: the link is not valid, or is over."""
        return self._read(_LINK, token)

    def read_session(self, token: str) -> Visitor | None:
        """Return the user of a page session, likewise."""
        return self._read(_SESSION, token)

    def _make(self, use: str, visitor: Visitor, lifetime_s: int) -> tuple[str, int]:
        return self._tokens.make(use, {"sub": visitor.user_id, "lang": visitor.language}, lifetime_s)

    def _read(self, use: str, token: str) -> Visitor | None:
        claims = self._tokens.read(use, token)
        return None if claims is None else Visitor(claims["sub"], claims.get("lang"))
