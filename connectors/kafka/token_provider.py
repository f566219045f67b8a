"""Tokens for the Kafka client: one per process and endpoint, renewed before it expires."""

from functools import cache
from threading import Lock, Thread
from time import monotonic
from typing import Any

from kafka.net.sasl.oauth import AbstractTokenProvider  # type: ignore[import-untyped]

from connectors.kafka.token_endpoint import TokenEndpoint
from connectors.outage import OutageLog
from tacit.errors import TacitError

_RENEW_AT = 0.8
"""Part of the lifetime after which a new token is requested."""
_MARGIN_S = 5.0
"""Time before the end of the lifetime after which a token is no longer used: clocks differ."""
_RETRY_S = 10.0


class TokenProvider(AbstractTokenProvider):  # type: ignore[misc]  # an untyped base
    """Token of an endpoint; a valid one is returned at once, and renewed in the background."""

    def __init__(self, endpoint: TokenEndpoint) -> None:
        super().__init__()
        self._endpoint = endpoint
        self._lock = Lock()
        self._token = ""
        self._renew_at_s = self._end_s = 0.0
        self._renewing = Lock()
        self._outages = OutageLog("kafka_token")

    def token(self) -> str:
        """Return a valid token.

        Raises:
            TacitError: there is none, and the endpoint gives none.
        """
        now_s = monotonic()
        with self._lock:
            if now_s >= self._end_s:
                self._renew()
            elif now_s >= self._renew_at_s and self._renewing.acquire(blocking=False):
                Thread(target=self._renew_in_background, name="kafka-token", daemon=True).start()
            return self._token

    def extensions(self) -> dict[str, str]:
        """Return the SASL extensions."""
        return dict(self._endpoint.extensions)

    def _renew(self) -> None:
        granted_s = monotonic()
        grant = self._endpoint.request_token()
        self._token = grant.token
        self._renew_at_s = granted_s + grant.lifetime_s * _RENEW_AT
        self._end_s = granted_s + max(grant.lifetime_s - _MARGIN_S, grant.lifetime_s * _RENEW_AT)

    def _renew_in_background(self) -> None:
        try:
            self._renew()
        except TacitError as error:
            self._renew_at_s = monotonic() + _RETRY_S
            self._outages.failed(error=str(error))
        else:
            self._outages.recovered()
        finally:
            self._renewing.release()


@cache
def token_provider(endpoint: TokenEndpoint) -> Any:
    """Return the provider of an endpoint, which all clients of the process share."""
    return TokenProvider(endpoint)
