"""Key set (JWKS): the public keys of signed tokens, from a file or a URL; the last good set stays in use."""

import json
from pathlib import Path
from threading import Lock, Thread
from time import monotonic
from typing import Any

import structlog
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from tacit.errors import ConfigurationError
from tacit_service.access.file_watch import FileWatch
from tacit_service.http.fetching import fetch

REFRESH_S = 600.0
RETRY_S = 30.0
"""Least time between two fetches: after a failure, or for a token of an unknown key."""
_TIMEOUT_S = 5.0
_MAX_BYTES = 1 << 20


class SourceOfKeys:
    """Key set that is renewed. Only public keys of RSA, elliptic curves and Edwards curves are taken.

    Args:
        place: path of a file, or a URL.

    Raises:
        ConfigurationError: the file is no key set. A URL is fetched in the background.
    """

    def __init__(self, place: str) -> None:
        self._place = place
        self._watch = None if "://" in place else FileWatch(Path(place))
        """None: the place is a URL."""
        self._lock = Lock()
        self._is_fetching = False
        self._tried_s = monotonic()
        self.keys: KeySet | None = None
        """The last good set; None: not fetched yet."""
        self.version = 0
        """Number of the set."""
        if self._watch is None:
            self._start()
        else:
            self._take(read_key_set(Path(place).read_bytes() if Path(place).is_file() else b"", place))

    def look(self) -> None:
        """Renew the set if it is old; never blocks on a network."""
        if self._watch is None:
            if monotonic() - self._tried_s >= (RETRY_S if self.keys is None else REFRESH_S):
                self._start()
        elif self._watch.has_changed():
            try:
                self._take(read_key_set(Path(self._place).read_bytes(), self._place))
            except (OSError, ConfigurationError) as error:
                _warn(error)

    def miss(self) -> None:
        """Renew the set for a token of an unknown key, at most once per `RETRY_S`."""
        if self._watch is None and monotonic() - self._tried_s >= RETRY_S:
            self._start()

    def _start(self) -> None:
        with self._lock:
            if self._is_fetching:
                return
            self._is_fetching = True
            self._tried_s = monotonic()
        Thread(target=self._fetch, name="jwks", daemon=True).start()

    def _fetch(self) -> None:
        try:
            status, data = fetch(self._place, timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES)
            if status != 200:
                raise ConfigurationError([f"jwks: the answer has status {status}"])
            self._take(read_key_set(data, self._place))
        except (OSError, ValueError, ConfigurationError) as error:
            _warn(error)
        finally:
            self._is_fetching = False

    def _take(self, keys: KeySet) -> None:
        self.keys = keys
        self.version += 1


def read_key_set(data: bytes, place: str) -> KeySet:
    """Return the public keys in a JWKS document.

    Raises:
        ConfigurationError: it is none, or has no usable key.
    """
    try:
        keys = json.loads(data)["keys"]
        usable = [_public(key) for key in keys if key.get("kty") in {"RSA", "EC", "OKP"}]
        found = KeySet.import_key_set({"keys": usable})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, JoseError):
        raise ConfigurationError([f"jwks: {place} is no JWKS document; name a file or URL of one"]) from None
    if not usable:
        raise ConfigurationError([f"jwks: {place} has no public key of the kinds RSA, EC and OKP"])
    return found


def _public(key: dict[str, Any]) -> Any:
    return {name: value for name, value in key.items() if name not in {"d", "p", "q", "dp", "dq", "qi", "oth", "k"}}


def _warn(error: Exception) -> None:
    structlog.get_logger("access").warning("jwks.unavailable", error=type(error).__name__)
