"""Look-up of schemas by id, with retries while the registry is down, and a limit of questions about unknown ids."""

import random
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from connectors.outage import OutageLog
from connectors.schema_registry.address import RegistryAddress
from connectors.schema_registry.client import (
    NotRegisteredError,
    RegistryClient,
    RegistryFailedError,
    RegistryRefusedError,
)
from state.errors import SourceError
from state.events.registered_schema import RegisteredSchema, UnknownSchemaError

RETRY_FOR_S = 45.0
"""Time for which a record waits for the registry; then the run fails, and resumes from its checkpoint."""

MISSING_FOR_S = 30.0
"""Time for which an unknown id is not asked about again."""

MAX_MISSING = 1_000
"""Most unknown ids at a time. While there are as many, further ids are unknown unasked, except near a known one."""

NEAR = 64
"""Largest distance from the highest known id, up to which an id is asked about in any case: ids are serial numbers."""

MAX_REFERENCES = 32

_FIRST_PAUSE_S = 0.05
_MAX_PAUSE_S = 2.0

_MISSING = "the registry does not have it"
_UNASKED = "not asked about, as the stream has too many unknown ids"
_BROKEN = "the registry's answer is not a schema"


class RegistrySchemas:
    """Schemas of a registry, for one thread. Called with an id, it returns the schema.

    A stranger can write any id. So unknown ids are remembered for a while, and are few: at most `MAX_MISSING` in
    `MISSING_FOR_S` are asked about.

    Args:
        address: the registry.
        stop: ends the wait for a registry that is down.
        clock: seconds.
    """

    def __init__(
        self,
        address: RegistryAddress,
        stop: threading.Event | None = None,
        *,
        retry_for_s: float = RETRY_FOR_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = RegistryClient(address)
        self._stop = stop or threading.Event()
        self._retry_for_s = retry_for_s
        self._clock = clock
        self._outages = OutageLog("schema_registry")
        self._missing: OrderedDict[int, tuple[float, str]] = OrderedDict()
        """Unknown id → end of the time for which it is not asked about, and the reason; the oldest first."""
        self._highest = 0

    def __call__(self, id_: int) -> RegisteredSchema:
        """Return a schema.

        Raises:
            UnknownSchemaError: the registry has no such schema, or is not asked.
            SourceError: the registry is down for `retry_for_s`, or a stop was requested meanwhile.
        """
        self._expire()
        if known := self._missing.get(id_):
            raise UnknownSchemaError(known[1])
        if len(self._missing) >= MAX_MISSING and abs(id_ - self._highest) > NEAR:
            raise UnknownSchemaError(_UNASKED)
        try:
            schema = self._retried(lambda: self._find(id_))
        except UnknownSchemaError as error:
            self._missing[id_] = (self._clock() + MISSING_FOR_S, str(error))
            raise
        self._highest = max(self._highest, id_)
        return schema

    def check(self) -> None:
        """Ask the registry before the first record comes. One that is down is logged, and no error.

        Raises:
            RegistryRefusedError: the registry refuses the access.
        """
        try:
            self._client.check()
        except RegistryRefusedError:
            raise
        except RegistryFailedError as error:
            self._failed(error)

    def _failed(self, error: RegistryFailedError) -> None:
        self._outages.failed(cause=str(error), address=str(self._client.address), error=str(error))

    def _expire(self) -> None:
        now = self._clock()
        while self._missing and next(iter(self._missing.values()))[0] <= now:
            self._missing.popitem(last=False)

    def _retried(self, find: Callable[[], RegisteredSchema]) -> RegisteredSchema:
        deadline, pause_s = self._clock() + self._retry_for_s, _FIRST_PAUSE_S
        while True:
            try:
                found = find()
            except RegistryFailedError as error:
                self._failed(error)
                if self._clock() >= deadline or self._stop.wait(pause_s * random.uniform(0.5, 1)):
                    raise self._gave_up(error) from None
                pause_s = min(2 * pause_s, _MAX_PAUSE_S)
                continue
            except UnknownSchemaError:
                self._outages.recovered()
                raise
            self._outages.recovered()
            return found

    def _gave_up(self, error: RegistryFailedError) -> SourceError:
        registry = f"the schema registry at {self._client.address}"
        cause = (
            f"the run was stopped while it waited for {registry}: {error}"
            if self._stop.is_set()
            else f"{registry} did not answer in time: {error}"
        )
        return SourceError(f"{cause}; no record is lost: start again when it answers")

    def _find(self, id_: int) -> RegisteredSchema:
        try:
            document = self._client.schema(id_)
            references: dict[str, str] = {}
            self._add_references(document, references, frozenset())
        except NotRegisteredError:
            raise UnknownSchemaError(_MISSING) from None
        kind = document.get("schemaType", "AVRO")
        if not isinstance(kind, str):
            raise UnknownSchemaError(_BROKEN)
        return RegisteredSchema(kind, _text(document), tuple(references.items()))

    def _add_references(self, document: Mapping[str, Any], found: dict[str, str], within: frozenset[str]) -> None:
        """Add the schemas that a document refers to, each after its own references."""
        for reference in document.get("references") or ():
            name, subject, version = _parts(reference)
            if name in found:
                continue
            if name in within or len(within) + len(found) >= MAX_REFERENCES:
                raise UnknownSchemaError("its references are too many, or refer to each other")
            referred = self._client.version(subject, version)
            self._add_references(referred, found, within | {name})
            found[name] = _text(referred)


def _text(document: Mapping[str, Any]) -> str:
    text = document.get("schema")
    if not isinstance(text, str):
        raise UnknownSchemaError(_BROKEN)
    return text


def _parts(reference: object) -> tuple[str, str, int]:
    if isinstance(reference, dict):
        name, subject, version = (reference.get(part) for part in ("name", "subject", "version"))
        if isinstance(name, str) and isinstance(subject, str) and isinstance(version, int):
            return name, subject, version
    raise UnknownSchemaError(_BROKEN)
