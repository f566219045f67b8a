"""Tokens in forms: a page of another origin cannot know a token, and so cannot make a valid form."""

import hmac
from collections.abc import Callable
from hashlib import sha256
from time import time

PERIOD_S = 1800
"""Length of a period; a token is valid for two periods."""


class FormTokens:
    """Maker and verifier of the tokens.

    Args:
        secret: key of the user links.
        clock_s: Unix time in seconds.
    """

    def __init__(self, secret: str, clock_s: Callable[[], float] = time) -> None:
        self._key = sha256(b"tacit page forms" + secret.encode()).digest()
        self._clock_s = clock_s

    def token(self, user_id: str) -> str:
        """Return the token of a user for the present period."""
        return self._of(user_id, self._period)

    def is_valid(self, token: str, user_id: str) -> bool:
        """Return whether a token belongs to the user, and to the present or the last period.

        >>> tokens = FormTokens("a secret of examples")
        >>> tokens.is_valid(tokens.token("ada"), "ada"), tokens.is_valid(tokens.token("ada"), "bob")
        (True, False)
        """
        given = token.encode("utf-8", "replace")
        return any(
            hmac.compare_digest(given, self._of(user_id, period).encode())
            for period in (self._period, self._period - 1)
        )

    @property
    def _period(self) -> int:
        return int(self._clock_s()) // PERIOD_S

    def _of(self, user_id: str, period: int) -> str:
        return hmac.new(self._key, f"{period} {user_id}".encode(), sha256).hexdigest()
