"""Sessions of operators. The cookie holds the operator's own token, encrypted, and each request verifies the token."""

from starlette.requests import Request

from tacit_service.access.callers import Caller, forbidden
from tacit_service.access.encrypted_tokens import MAX_TOKEN, EncryptedTokens
from tacit_service.access.rates import Rates
from tacit_service.http.operations import not_configured
from tacit_service.http.problems import ProblemError
from tacit_service.service import Service

COOKIE = "tacit-console"
SESSION_S = 8 * 3600
"""Lifetime of a session; no use renews it."""
LOGINS_PER_S = 5.0
"""Logins with an invalid token, per second of one address; behind a proxy, all operators have one address."""

_USE = "console"


class Sessions:
    """Sessions of one service.

    Args:
        service: shared parts.
        is_secure: operators come by HTTPS.
    """

    def __init__(self, service: Service, *, is_secure: bool) -> None:
        secret = service.settings.link_secret
        self._callers = service.callers
        self._tokens = None if secret is None else EncryptedTokens(secret)
        self._attributes = "; Path=/console; HttpOnly; SameSite=Strict" + ("; Secure" if is_secure else "")
        self._logins = Rates(LOGINS_PER_S, "address", "invalid logins")

    def login(self, request: Request, token: str) -> str:
        """Return the value of Set-Cookie for a token.

        Raises:
            ProblemError: the token is not valid, has not the scope, or is too long; or invalid ones come too fast.
        """
        if self._tokens is None:
            raise not_configured("TACIT_LINK_SECRET")
        caller = self._callers.verified(token) if token.isascii() else None
        if caller is None:
            self._logins.take(request.client.host if request.client else "")
            raise ProblemError("unauthorized", "This key is not valid, or its time is over.")
        _require_scope(caller)
        session, _ = self._tokens.make(_USE, {"token": token}, SESSION_S)
        if len(session) > MAX_TOKEN:
            raise ProblemError("too-large", "This token is too long for a session; log in with a key of `tacit token`.")
        return f"{COOKIE}={session}; Max-Age={SESSION_S}{self._attributes}"

    def logout(self) -> str:
        """Return the value of Set-Cookie that ends a session."""
        return f"{COOKIE}=; Max-Age=0{self._attributes}"

    def operator(self, request: Request) -> Caller:
        """Return the operator of a request.

        Raises:
            ProblemError: there is no session, it is over, or its token has been taken back; or requests come too fast.
        """
        claims = None if self._tokens is None else self._tokens.read(_USE, request.cookies.get(COOKIE, ""))
        caller = None if claims is None else self._callers.verified(claims["token"])
        if caller is None:
            raise ProblemError("unauthorized", "There is no session, or it is over; log in.")
        _require_scope(caller)
        self._callers.count(caller, 1)
        request.scope["tacit.caller"] = caller.name
        return caller


def _require_scope(caller: Caller) -> None:
    if "manage" not in caller.scopes:
        raise forbidden("manage")
