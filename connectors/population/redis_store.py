"""The population belief in Redis: its versions, which of them is the newest, and which are kept for good."""

import re
from pathlib import Path
from typing import cast

import redis
import structlog

from connectors.redis.client import RedisClient, error_code
from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.learning.population_prior import Prior
from state.learning.population_version import PopulationVersion, PopulationWrite, decode_version
from state.learning.signals import population_write
from tacit.contract.keys import NamespaceKeys
from tacit.errors import ConfigurationError
from tacit.reader.round_trips import Command, Reply

KEPT = 10
"""So many of the newest versions are kept, and those that are pinned."""

_NUMBER = re.compile(rb"[1-9][0-9]{0,14}")
_PUBLISH = (Path(__file__).parents[1] / "redis" / "scripts" / "publish_population.lua").read_bytes()

_log = structlog.get_logger(__name__)


class PopulationRedisStore:
    """The versions of one namespace, by a connection that nobody else uses.

    What cannot be read counts as nothing, and is logged.

    Errors: SinkError, as `RedisClient.deliver`.
    """

    def __init__(self, client: RedisClient, keys: NamespaceKeys, fallback: NamespaceKeys | None = None) -> None:
        """Use a namespace; what `fetch` and `pin` do not find there they look for in the fallback."""
        self._client = client
        self._keys = keys
        self._fallback = fallback
        self._complaint = ("", "")
        """What was last logged, as the same is looked at every second."""

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def newest(self, above: int = 0) -> PopulationVersion | None:
        """Return the newest version, or None if there is none whose number is above that."""
        number = self._number(self._get(self._keys.population))
        return self._version(self._keys, number) if number > above else None

    def fetch(self, number: int) -> PopulationVersion | None:
        """Return a version by its number, the fallback's if the namespace has none; None if neither keeps it."""
        found = self._version(self._keys, number)
        if found is None and self._fallback is not None:
            found = self._version(self._fallback, number)
        return found

    def publish(self, write: PopulationWrite, *, fill: bool) -> bool:
        """Make a version the newest one, with its defaults; return whether it is published, now or before.

        It is left out where there is a newer number, or its number is taken; if `fill` (history beside live workers),
        also where the newest version has seen newer event time, or of the same as many examples.
        """
        while True:
            held = self._get(self._keys.population)
            newest = self._number(held)
            stored = self._get(self._keys.population_version(write.n))
            if write.n <= newest or stored not in (None, write.version):
                if stored != write.version:
                    _log.info("population.left_out", why="a newer number, or taken", number=write.n, newest=newest)
                return stored == write.version
            if fill and (there := self._version(self._keys, newest)) and _has_seen_as_much(there, write):
                _log.info("population.left_out", why="newer event time, or more", number=write.n, newest=newest)
                return False
            [reply] = self._client.deliver([self._publish_command(write, held or b"", newest)], [None])
            if isinstance(reply, redis.RedisError):
                _log.error("population.write_refused", code=error_code(reply), namespace=self._keys.namespace)
                return False
            if reply == 1:
                return True

    def pin(self, number: int, catalogue: NumberedCatalogue) -> PopulationVersion:
        """Keep a version for good, in this namespace; it becomes the newest one if there is none.

        Raises:
            ConfigurationError: it is kept neither here nor in the fallback.
        """
        version = self.fetch(number)
        if version is None:
            raise ConfigurationError([self._not_kept(number)])
        write = population_write(Prior(catalogue, version), version)
        # Pinned first: in between, a version that has just been stored would be one to drop.
        self._client.ask(("SADD", self._keys.population_pinned, number))
        self._client.ask(("SET", self._keys.population_version(number), write.version, "NX"))
        if self._get(self._keys.population) is None:
            self._client.deliver([self._publish_command(write, b"", 0)], [None])
        return version

    def _not_kept(self, number: int) -> str:
        newest = self._number(self._get(self._keys.population))
        there = f"its newest is {newest}" if newest else "it has none"
        return (
            f"population: version {number} is not kept in namespace {self._keys.namespace} ({there}): "
            f"name one of the newest {KEPT} or a pinned one, or learn, or none"
        )

    def _publish_command(self, write: PopulationWrite, held: bytes, newest: int) -> Command:
        """Return the script's call, which does nothing unless `population` still holds what it held."""
        keys = self._keys
        ends = {*range(write.n - 2 * KEPT, write.n - KEPT + 1), *range(newest - KEPT + 1, newest + 1)}
        dropped = [keys.population_version(n) for n in sorted(ends) if 0 < n <= write.n - KEPT]
        named = [keys.population, keys.population_version(write.n), keys.defaults, keys.population_pinned, *dropped]
        fields = [word for field in write.defaults for word in field]
        return ("EVAL", _PUBLISH, len(named), *named, held, write.n, write.version, *fields)

    # Reading

    def _number(self, held: bytes | None) -> int:
        """Return the number that `population` holds; 0 for none."""
        if held is None:
            return 0
        if not _NUMBER.fullmatch(held):
            self._complain(self._keys.population, "it is no number")
            return 0
        return int(held)

    def _version(self, keys: NamespaceKeys, number: int) -> PopulationVersion | None:
        key = keys.population_version(number)
        raw = self._get(key)
        if raw is None:
            return None
        try:
            version = decode_version(raw)
        except StateError as error:
            self._complain(key, str(error))
            return None
        if version.n != number:
            self._complain(key, f"it says that it is version {version.n}")
            return None
        self._complaint = ("", "")
        return version

    def _get(self, key: str) -> bytes | None:
        reply: Reply
        [reply] = self._client.deliver([("GET", key)], [None])
        if isinstance(reply, redis.RedisError):
            self._complain(key, error_code(reply))
            return None
        return cast("bytes | None", reply)

    def _complain(self, key: str, problem: str) -> None:
        if (key, problem) != self._complaint:
            _log.error("population.unreadable", key=key, problem=problem)
        self._complaint = (key, problem)


def _has_seen_as_much(version: PopulationVersion, write: PopulationWrite) -> bool:
    """Events come in their order per person only: of one newest event time there can be several versions."""
    return (version.at, version.examples) >= (write.at_ms, write.examples)
