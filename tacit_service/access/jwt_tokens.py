"""Signed tokens (JWT) of an identity provider: issuer, audience, expiry, scopes and the name of the holder."""

import re
from typing import Any, Self

from joserfc import jwt
from joserfc.errors import InvalidKeyIdError, JoseError

from dataflows.settings import Settings
from tacit.errors import ConfigurationError
from tacit_service.access.callers import PAGE_USER, SCOPES, Caller
from tacit_service.access.key_set import SourceOfKeys

ALGORITHMS = ["RS256", "ES256", "EdDSA"]
_CLOCK_TOLERANCE_S = 10
_NAME = re.compile(r"[A-Za-z0-9_.:/-]{1,64}")


class JwtTokens:
    """Verifier of signed tokens.

    Args:
        keys: key set.
        issuer: `iss` that tokens have.
        audience: `aud` that tokens have, or have among others.
    """

    def __init__(self, keys: SourceOfKeys, issuer: str, audience: str) -> None:
        self._keys = keys
        self._claims = jwt.JWTClaimsRegistry(
            leeway=_CLOCK_TOLERANCE_S,
            iss={"essential": True, "value": issuer},
            aud={"essential": True, "value": audience},
            exp={"essential": True},
            sub={"essential": True},
        )

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the verifier of the settings.

        Raises:
            ConfigurationError: the key set is a file, and is none.
        """
        if settings.jwks is None or settings.jwt_issuer is None:
            raise ConfigurationError(["jwks: needs jwt_issuer; set both"])
        return cls(SourceOfKeys(settings.jwks), settings.jwt_issuer, settings.jwt_audience)

    @property
    def version(self) -> object:
        """Number of the key set: a token of a removed key is void."""
        self._keys.look()
        return self._keys.version

    def verify(self, token: str) -> Caller | None:
        """Return the holder of a token; a name that is no short ASCII name is not valid, as logs have it."""
        if token.count(".") != 2 or self._keys.keys is None:
            return None
        try:
            claims = jwt.decode(token, self._keys.keys, algorithms=ALGORITHMS).claims
            self._claims.validate(claims)
        except InvalidKeyIdError:
            self._keys.miss()
            return None
        except (JoseError, ValueError, TypeError, KeyError):
            return None
        name, scope = claims["sub"], claims.get("scope", "")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name == PAGE_USER or not isinstance(scope, str):
            return None
        return Caller(name, frozenset(scope.split()) & frozenset(SCOPES), _end(claims))


def _end(claims: dict[str, Any]) -> float:
    return float(claims["exp"]) + _CLOCK_TOLERANCE_S
