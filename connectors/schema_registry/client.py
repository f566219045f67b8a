"""HTTP client of a schema registry: one GET per call, without redirects, so that no other host gets the password."""

import json
import ssl
from base64 import b64encode
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import quote

from connectors.schema_registry.address import RegistryAddress
from tacit.errors import ConfigurationError

TIMEOUT_S = 5.0
MAX_ANSWER_BYTES = 1_000_000

_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 200, 401, 403, 404


class RegistryFailedError(Exception):
    """No usable answer; a later attempt may have one. The text has neither user nor password."""


class RegistryRefusedError(RegistryFailedError):
    """The registry refuses the access, or its certificate is not accepted: the settings are wrong."""


class NotRegisteredError(Exception):
    """The registry has no such schema."""


class RegistryClient:
    """Client for one thread.

    Raises:
        ConfigurationError: the file of authorities is unreadable.
    """

    def __init__(self, address: RegistryAddress) -> None:
        self.address = address
        self._headers = {"Accept": "application/vnd.schemaregistry.v1+json, application/json"}
        if address.user or address.password:
            secret = b64encode(f"{address.user}:{address.password}".encode()).decode()
            self._headers["Authorization"] = f"Basic {secret}"
        self._context = _context(address) if address.is_tls else None

    def check(self) -> None:
        """Ask for the schema 0, which no registry has.

        Raises:
            RegistryRefusedError, RegistryFailedError: as `get`.
        """
        with suppress(NotRegisteredError):
            self.schema(0)

    def schema(self, id_: int) -> dict[str, Any]:
        """Return the registry's document of a schema. Errors as `get`."""
        return self.get(f"/schemas/ids/{id_}")

    def version(self, subject: str, version: int) -> dict[str, Any]:
        """Return the registry's document of a version of a subject. Errors as `get`."""
        return self.get(f"/subjects/{quote(subject, safe='')}/versions/{version}")

    def get(self, path: str) -> dict[str, Any]:
        """Return the answer to a GET.

        Raises:
            NotRegisteredError: the answer is "not found", by the registry.
            RegistryFailedError: there is no answer in time, or another one than a document.
        """
        try:
            status, body = self._answer(self.address.path + path)
        except ssl.SSLCertVerificationError as error:
            raise RegistryRefusedError(f"its certificate is not accepted: {error.verify_message}") from None
        except (OSError, HTTPException) as error:
            raise RegistryFailedError(f"no answer ({type(error).__name__})") from None
        if status in (_UNAUTHORIZED, _FORBIDDEN):
            raise RegistryRefusedError(f"it refuses the user or the password (status {status})")
        document = _document(body)
        if status == _NOT_FOUND and document is not None and "error_code" in document:
            raise NotRegisteredError
        if status != _OK or document is None:
            raise RegistryFailedError(f"status {status} is no answer of a schema registry")
        return document

    def _answer(self, path: str) -> tuple[int, bytes]:
        address = self.address
        connection = (
            HTTPSConnection(address.host, address.port, timeout=TIMEOUT_S, context=self._context)
            if self._context
            else HTTPConnection(address.host, address.port, timeout=TIMEOUT_S)
        )
        try:
            connection.request("GET", path, headers=self._headers)
            response = connection.getresponse()
            return response.status, response.read(MAX_ANSWER_BYTES + 1)
        finally:
            connection.close()


def _document(body: bytes) -> dict[str, Any] | None:
    if len(body) > MAX_ANSWER_BYTES:
        return None
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _context(address: RegistryAddress) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=address.ca_file)
    except OSError:
        raise ConfigurationError(
            [f"schema_registry_ca: {address.ca_file} is no readable file of PEM certificates; correct the path"]
        ) from None
