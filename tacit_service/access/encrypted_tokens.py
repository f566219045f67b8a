"""Encrypted tokens (JWE): neither an address nor a cookie shows their contents."""

from collections.abc import Callable, Mapping
from hashlib import sha256
from time import time
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwe import JWERegistry
from joserfc.jwk import OctKey

MAX_TOKEN = 4000
"""Most characters of a token: a cookie has at most 4096 with its name and attributes."""

_HEADER = {"alg": "dir", "enc": "A256GCM"}


class EncryptedTokens:
    """Maker and reader of the tokens.

    Args:
        secret: key, 16 bytes or more.
        clock_s: Unix time in seconds.
    """

    def __init__(self, secret: str, clock_s: Callable[[], float] = time) -> None:
        self._key = OctKey.import_key(sha256(b"tacit user links" + secret.encode()).digest())
        self._registry = JWERegistry(algorithms=list(_HEADER.values()))
        self._clock_s = clock_s

    def make(self, use: str, claims: Mapping[str, Any], lifetime_s: int) -> tuple[str, int]:
        """Return a token for one use, and its end in Unix seconds."""
        end_s = int(self._clock_s()) + lifetime_s
        return jwt.encode(_HEADER, {**claims, "use": use, "exp": end_s}, self._key, registry=self._registry), end_s

    def read(self, use: str, token: str) -> Mapping[str, Any] | None:
        """Return the claims of a token; None: the token is not one of this use, or is over.

        >>> tokens = EncryptedTokens("a secret of examples", clock_s=lambda: 0.0)
        >>> token, end_s = tokens.make("link", {"sub": "ada"}, 60)
        >>> tokens.read("link", token)["sub"], end_s, tokens.read("session", token)
        ('ada', 60, None)
        """
        if len(token) > MAX_TOKEN:
            return None
        try:
            claims: Mapping[str, Any] = jwt.decode(token, self._key, registry=self._registry).claims
        except (JoseError, ValueError, TypeError, KeyError):
            return None
        return claims if claims.get("use") == use and claims.get("exp", 0) > self._clock_s() else None
