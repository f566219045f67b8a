"""Token endpoint of OAuth 2.0: a client gets a token for its id and secret (RFC 6749, section 4.4)."""

import base64
import json
import re
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple
from urllib.error import HTTPError
from urllib.parse import quote_plus, urlencode, urlsplit
from urllib.request import HTTPRedirectHandler, HTTPSHandler, ProxyHandler, Request, build_opener

from connectors.kafka.tls import trusting_context
from state.errors import AccessError, SourceError
from tacit.errors import TacitError

TIMEOUT_S = 10.0
_MAX_BYTES = 1 << 20
_DEFAULT_LIFETIME_S = 300.0
"""Lifetime of a token whose answer names none."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")
"""Characters of a token (RFC 6750, section 2.1)."""
_ERROR = re.compile(r"[a-z_]{1,40}")


class Grant(NamedTuple):
    """Token, and its lifetime."""

    token: str
    lifetime_s: float


@dataclass(frozen=True, slots=True)
class TokenEndpoint:
    """Endpoint, and the client's credentials; the text shows no secret."""

    url: str
    client_id: str
    client_secret: str = field(repr=False)
    scope: str = ""
    extensions: tuple[tuple[str, str], ...] = ()
    """SASL extensions that some brokers require, such as `logicalCluster`."""
    authorities: Path | None = None
    """Trusted authorities of the endpoint; None: those of the system."""

    def request_token(self) -> Grant:
        """Return a new token.

        Raises:
            AccessError: the endpoint refuses the client, is not trusted, or answers without a token.
            SourceError: the endpoint does not answer.
        """
        opener = build_opener(HTTPSHandler(context=self._context()), ProxyHandler(), _NoRedirects())
        try:
            with opener.open(self._request(), timeout=TIMEOUT_S) as answer:
                body = answer.read(_MAX_BYTES)
        except HTTPError as error:
            raise self._refusal(error) from None
        except OSError as error:
            raise self._failure(error) from None
        return self._grant(body)

    @property
    def host(self) -> str:
        """Host of the endpoint, for errors."""
        return urlsplit(self.url).hostname or ""

    def _context(self) -> ssl.SSLContext:
        if self.authorities is None:
            return ssl.create_default_context()
        return trusting_context("kafka.token_ca_file", self.authorities)

    def _request(self) -> Request:
        form = {"grant_type": "client_credentials"} | ({"scope": self.scope} if self.scope else {})
        credentials = f"{quote_plus(self.client_id)}:{quote_plus(self.client_secret)}".encode()
        headers = {
            "Accept": "application/json",
            "Authorization": f"Basic {base64.b64encode(credentials).decode()}",
            "Content-Type": "application/x-www-form-urlencoded",
        }
        return Request(self.url, urlencode(form).encode(), headers, method="POST")  # noqa: S310  # settings allow https only

    def _refusal(self, error: HTTPError) -> TacitError:
        with error:
            code = _member(error.read(_MAX_BYTES), "error")
        reason = f", {code}" if isinstance(code, str) and _ERROR.fullmatch(code) else ""
        text = f"kafka.token_url: {self.host} gives no token (HTTP {error.code}{reason})"
        if error.code >= 500 or error.code == 429:
            return SourceError(f"{text}; check the token endpoint")
        if 300 <= error.code < 400:
            return AccessError(f"{text}, as it redirects; use the address of the endpoint itself")
        if error.code == 404:
            return AccessError(f"{text}; correct the address")
        return AccessError(f"{text}; correct kafka.token_client_id, kafka.token_client_secret and kafka.token_scope")

    def _failure(self, error: OSError) -> TacitError:
        cause = getattr(error, "reason", error)
        if isinstance(cause, ssl.SSLCertVerificationError):
            return AccessError(
                f"kafka.token_url: the certificate of {self.host} is not trusted ({cause.verify_message}); "
                "correct the address, or name its authority in kafka.token_ca_file"
            )
        kind = "no answer in time" if isinstance(cause, TimeoutError) else type(cause).__name__
        return SourceError(
            f"kafka.token_url: {self.host} does not answer ({kind}); check the address, and that the endpoint runs"
        )

    def _grant(self, body: bytes) -> Grant:
        token = _member(body, "access_token")
        if not isinstance(token, str) or not _TOKEN.fullmatch(token):
            raise AccessError(
                f"kafka.token_url: the answer of {self.host} has no access_token; use the address of a token endpoint"
            )
        lifetime = _member(body, "expires_in")
        try:
            return Grant(token, float(lifetime) if isinstance(lifetime, int | float | str) else _DEFAULT_LIFETIME_S)
        except ValueError:
            return Grant(token, _DEFAULT_LIFETIME_S)


class _NoRedirects(HTTPRedirectHandler):
    """A redirect is an error: the credentials are for one host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _member(body: bytes, name: str) -> object:
    try:
        found = json.loads(body)
    except ValueError:
        return None
    return found.get(name) if isinstance(found, dict) else None
