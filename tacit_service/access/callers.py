"""Callers: the tokens that assistants send, and the scopes that each has."""

from collections import OrderedDict
from hashlib import sha256
from time import time
from typing import Literal, NamedTuple, Protocol, get_args

from starlette.requests import Request

from tacit_service.access.rates import Rates
from tacit_service.http.problems import ProblemError

Scope = Literal["choose", "send", "manage", "export"]
"""Permission of a token: read choices and context, send interaction events, manage users, or read explanations."""

SCOPES: tuple[Scope, ...] = get_args(Scope)

PAGE_USER = "user"
"""Name of a user of the page in the audit; no token has it."""

_MAX_TOKEN_BYTES = 8192
_CACHED = 4096
_CACHED_S = 300.0
"""Longest time for which a verified token is not verified again."""

INVALID_PER_S = 100.0
"""Invalid tokens per second of one address; behind a proxy, all clients have one address."""


class Caller(NamedTuple):
    """The holder of a token, or a user of the page."""

    name: str
    """Name of the token, for the audit and logs; `user` for a page session."""
    scopes: frozenset[str]
    until_s: float
    """Unix time from which the token is void."""


class Verifier(Protocol):
    """Verification of one kind of tokens."""

    @property
    def version(self) -> object:
        """Value that changes when a token that was valid may no longer be."""

    def verify(self, token: str) -> Caller | None:
        """Return the caller of a token; None: the token is not valid."""


class Callers:
    """Callers of all requests, with a bounded cache of verified tokens.

    Args:
        verifiers: kinds of tokens, tried in order.
        rates: rates of tokens.
    """

    open_to_all = Caller("", frozenset(), float("inf"))
    """Caller of an operation without a token."""

    def __init__(self, verifiers: tuple[Verifier, ...], rates: Rates) -> None:
        self._verifiers = verifiers
        self._rates = rates
        self.invalid_rates = Rates(INVALID_PER_S, "address", "invalid tokens")
        """Rates of invalid tokens by address. A valid token is not counted, and so never refused for another's."""
        self._cache: OrderedDict[bytes, tuple[Caller, float]] = OrderedDict()
        self._versions: tuple[object, ...] = ()

    def permitted(self, request: Request, scope: Scope | None) -> Caller:
        """Return the caller of a request, within its rate.

        Args:
            request: the request.
            scope: scope that is needed; None: any valid token.

        Raises:
            ProblemError: there is no valid token, it has not the scope, or its rate or that of invalid tokens is
                exceeded.
        """
        token = _bearer(request)
        caller = self.verified(token) if token else None
        if caller is None:
            if token:
                self.invalid_rates.take(request.client.host if request.client else "")
            raise _unauthorized(is_given=bool(token))
        self._rates.take(caller.name)
        if scope is not None and scope not in caller.scopes:
            raise forbidden(scope)
        request.scope["tacit.caller"] = caller.name
        return caller

    def is_permitted(self, request: Request, scope: Scope) -> bool:
        """Return whether the token of a request that was permitted is valid, and has the scope, at present."""
        caller = self.verified(_bearer(request))
        return caller is not None and scope in caller.scopes

    def count(self, caller: Caller, cost: int) -> None:
        """Count further requests of a caller.

        Raises:
            ProblemError: the rate is exceeded.
        """
        self._rates.take(caller.name, cost)

    def verified(self, token: str) -> Caller | None:
        """Return the caller of a token; None: the token is not valid."""
        now_s = time()
        versions = tuple([verifier.version for verifier in self._verifiers])
        if versions != self._versions:
            self._versions = versions
            self._cache.clear()
        hash_ = sha256(token.encode("latin-1")).digest()  # a lookup by the token itself would show it by its time
        found = self._cache.get(hash_)
        if found is not None and now_s < found[1]:
            self._cache.move_to_end(hash_)
            return found[0]
        for verifier in self._verifiers:
            caller = verifier.verify(token)
            if caller is not None and now_s < caller.until_s:
                self._cache[hash_] = caller, min(caller.until_s, now_s + _CACHED_S)
                if len(self._cache) > _CACHED:
                    self._cache.popitem(last=False)
                return caller
        self._cache.pop(hash_, None)
        return None


def _bearer(request: Request) -> str:
    for name, value in request.scope["headers"]:
        if name == b"authorization":
            scheme, _, token = value.partition(b" ")
            if scheme.lower() == b"bearer" and 0 < len(token) <= _MAX_TOKEN_BYTES:
                return str(token.strip(), "latin-1")
            return ""
    return ""


def _unauthorized(*, is_given: bool) -> ProblemError:
    challenge = 'Bearer realm="tacit"' + (', error="invalid_token"' if is_given else "")
    detail = "Send a valid token as Authorization: Bearer TOKEN; `tacit token` makes one."
    return ProblemError("unauthorized", detail, headers={"WWW-Authenticate": challenge})


def forbidden(scope: str) -> ProblemError:
    """Return the error of a token without a scope."""
    challenge = f'Bearer realm="tacit", error="insufficient_scope", scope="{scope}"'
    detail = f"The token needs the scope {scope}."
    return ProblemError("forbidden", detail, headers={"WWW-Authenticate": challenge})
