"""Namespaces of a region for an operator: their names, their differences, and the active one."""

from pathlib import Path
from typing import cast

from connectors.redis.client import RedisClient
from connectors.redis.comparison import compare
from connectors.redis.difference import ALL_USERS, Difference, Terms
from connectors.redis.fillings import Fillings
from connectors.redis.user_scan import has_users
from state.errors import SinkError
from tacit.contract.keys import LIVE, RegionKeys
from tacit.errors import ConfigurationError, TacitError

_PROMOTE = (Path(__file__).with_name("scripts") / "promote.lua").read_bytes()
_UNFINISHED = "a replay, a rebuild or a restoration has not ended, or a live run has not caught up with its topic"
_COMPLETE = (
    "let it end, or run the same command again; if that fails, replay into another namespace, or tacit rebuild from "
    "its finished state folder, which decides by the newest population version alone"
)


class Namespaces:
    """Namespaces of one region.

    All methods raise SinkError as `RedisClient.deliver`.
    """

    def __init__(self, client: RedisClient, keys: RegionKeys) -> None:
        self._client = client
        self._keys = keys

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def active(self) -> str:
        """Return the active namespace."""
        return self._name(self._keys.active) or LIVE

    def previous(self) -> str | None:
        """Return the namespace that was active before the last promotion; None before the first one."""
        return self._name(self._keys.previous)

    def registered(self) -> list[str]:
        """Return the namespaces of all writers, in alphabetical order."""
        return sorted(
            name.decode() for name in cast("list[bytes]", self._client.execute(("SMEMBERS", self._keys.namespaces)))
        )

    def promote(self, namespace: str, active: str) -> None:
        """Make a namespace the active one, and remember the previous one in the same atomic step.

        A repetition changes nothing, and readers follow within a second.

        Args:
            namespace: the namespace.
            active: the active namespace as the caller has read it.

        Raises:
            TacitError: another promotion came first, and nothing was changed.
        """
        keys = (self._keys.active, self._keys.previous)
        command = ("EVAL", _PROMOTE, len(keys), *keys, namespace, active, LIVE)
        done, found = cast("tuple[int, bytes]", self._client.execute(command))
        if not done:
            raise TacitError(
                f"promote: another promotion has made {_text(found)} the active namespace meanwhile, and this one "
                "changed nothing; run the command again to replace it"
            )

    def require(self, namespace: str) -> None:
        """Raise ConfigurationError if no writer has used the namespace, naming the ones that were used."""
        self._keys.within(namespace)
        registered = self.registered()
        if namespace in registered:
            return
        allowed = f"allowed are {', '.join(registered)}" if registered else "this region has no namespace"
        raise ConfigurationError([f"namespace: {namespace} was never written in region {self._keys.region}; {allowed}"])

    def require_signals(self, namespace: str) -> None:
        """Raise ConfigurationError if the namespace was never written, or holds no signals of a user now.

        Without the right to SCAN, a published population version stands for the signals.
        """
        self.require(namespace)
        if not self._has_signals(namespace):
            problem = f"namespace: {namespace} holds no signals, and readers would give all users the defaults"
            raise ConfigurationError([f"{problem}; fill it first by tacit replay with --namespace {namespace}"])

    def require_complete(self, namespace: str) -> None:
        """Raise ConfigurationError if a filling or a restoration has not ended, or a live run not caught up."""
        if Fillings(self._client, self._keys.within(namespace)).read().is_unfinished:
            problem = f"namespace: {namespace} holds a part of a history, as {_UNFINISHED}"
            raise ConfigurationError([f"{problem}; {_COMPLETE}"])

    def compare(self, first: str, second: str, terms: Terms = ALL_USERS) -> Difference:
        """Compare the users of two namespaces; a write during the comparison counts or not."""
        return compare(self._client, self._keys, first, second, terms)

    def _has_signals(self, namespace: str) -> bool:
        try:
            return has_users(self._client, self._keys, namespace)
        except SinkError as error:
            if "NOPERM" not in str(error):
                raise
        if self._name(self._keys.within(namespace).population) is not None:
            return True
        raise SinkError(
            f"promote: it is unknown whether {namespace} holds signals, as its Redis user has no right to SCAN and "
            "the namespace has no population version; run the command as a Redis user with SCAN"
        )

    def _name(self, key: str) -> str | None:
        found = cast("bytes | None", self._client.execute(("GET", key)))
        return _text(found) if found else None


def _text(name: bytes) -> str:
    return name.decode("utf-8", "replace")
