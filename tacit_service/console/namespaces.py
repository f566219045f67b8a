"""Namespaces of the region as Redis has them: which one readers use, and the versions and the proof of each."""

import re
from typing import Any, NamedTuple

import msgspec

from state.errors import StateError
from state.learning.proof_report import ProofReport, decode_report
from tacit.contract.keys import LIVE, NAMESPACE, NamespaceKeys
from tacit_service.service import Service

MAX_NAMESPACES = 32

_NAME = re.compile(NAMESPACE)


class Version(msgspec.Struct, frozen=True):
    """Parts of a population version that the console shows."""

    n: int
    model: int
    """Version of the model code."""
    at: int
    """Newest event time of its examples, epoch milliseconds."""
    examples: int


class Namespace(NamedTuple):
    """One namespace."""

    name: str
    role: str
    """`active`, `previous`, or empty."""
    version: Version | None
    """Newest population version; None: there is none."""
    proof: ProofReport | None


class Namespaces(NamedTuple):
    """All namespaces that are registered or in use."""

    found: tuple[Namespace, ...]
    """Empty: Redis does not answer, or its user may not read them."""
    more: int = 0
    """Namespaces above `MAX_NAMESPACES`, which are left out."""

    @property
    def active(self) -> Namespace | None:
        """The namespace that readers use."""
        return next((each for each in self.found if each.role == "active"), None)


_decode_version = msgspec.json.Decoder(Version).decode


class NamespaceReader:
    """Reader of the namespaces.

    Args:
        service: shared parts.
    """

    def __init__(self, service: Service) -> None:
        self._redis, self._keys = service.redis, service.region_keys
        self._versions: dict[str, Version] = {}

    async def read(self) -> Namespaces:
        """Return the namespaces, the active one first."""
        keys = self._keys
        active, previous, registered = await self._redis.execute(
            [("GET", keys.active), ("GET", keys.previous), ("SMEMBERS", keys.namespaces)]
        )
        if isinstance(active, Exception):
            return Namespaces(())
        roles = {_text(active) or LIVE: "active"}
        if _text(previous):
            roles.setdefault(_text(previous), "previous")
        others = sorted({_text(name) for name in registered} if isinstance(registered, set | list) else set())
        names = [name for name in (*roles, *(each for each in others if each not in roles)) if _NAME.fullmatch(name)]
        shown = names[:MAX_NAMESPACES]
        self._versions = {name: found for name, found in self._versions.items() if name in shown}
        keyed = [keys.within(name) for name in shown]
        replies = await self._redis.execute([("GET", key) for each in keyed for key in (each.population, each.proof)])
        found = [
            Namespace(each.namespace, roles.get(each.namespace, ""), await self._version(each, number), _proof(proof))
            for each, number, proof in zip(keyed, replies[::2], replies[1::2], strict=True)
        ]
        return Namespaces(tuple(found), len(names) - len(shown))

    async def _version(self, keys: NamespaceKeys, number: Any) -> Version | None:
        if not isinstance(number, bytes) or not number.isdigit():
            return None
        held = self._versions.get(keys.namespace)
        if held is not None and held.n == int(number):
            return held  # a version is written once, and is large
        [data] = await self._redis.execute([("GET", keys.population_version(int(number)))])
        try:
            version = _decode_version(data) if isinstance(data, bytes) else None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None
        if version is not None:
            self._versions[keys.namespace] = version
        return version


def _proof(data: Any) -> ProofReport | None:
    try:
        return decode_report(data) if isinstance(data, bytes) else None
    except StateError:
        return None


def _text(name: Any) -> str:
    return name.decode("utf-8", "replace") if isinstance(name, bytes) else ""
