"""Population versions in Redis: the newest number, the versions, and the pinned numbers."""

import re
from pathlib import Path
from typing import cast

import redis
import structlog

from connectors.outage import OutageLog
from connectors.redis.client import RedisClient
from connectors.redis.error_codes import error_code
from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.learning.population_prior import Prior
from state.learning.population_version import PopulationVersion, PopulationWrite, decode_version
from state.learning.signals import population_write
from tacit.contract.keys import NamespaceKeys
from tacit.errors import ConfigurationError
from tacit.reader.round_trips import Command, Reply

KEPT = 10
"""Number of the newest versions that are kept, with the pinned ones."""

_NUMBER = re.compile(rb"[1-9][0-9]{0,14}")
_PUBLISH = (Path(__file__).parents[1] / "redis" / "scripts" / "publish_population.lua").read_bytes()

_log = structlog.get_logger(__name__)


class PopulationRedisStore:
    """Population versions of one namespace, with a connection of its own.

    An unreadable version counts as missing, and is logged. All methods raise SinkError as `RedisClient.deliver`.
    """

    def __init__(self, client: RedisClient, keys: NamespaceKeys, fallback: NamespaceKeys | None = None) -> None:
        """Use a namespace; `fetch` and `pin` also look for versions in the fallback."""
        self._client = client
        self._keys = keys
        self._fallback = fallback
        self._outages = OutageLog("population_read")

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def newest(self, above: int = 0) -> PopulationVersion | None:
        """Return the newest version, or None if its number is not above `above`."""
        number = self._number(self._get(self._keys.population))
        return self._version(self._keys, number) if number > above else None

    def fetch(self, number: int) -> PopulationVersion | None:
        """Return a version by its number, from the namespace or else from the fallback; None if both lack it."""
        found = self._version(self._keys, number)
        if found is None and self._fallback is not None:
            found = self._version(self._fallback, number)
        return found

    def publish(self, write: PopulationWrite, *, fill: bool) -> bool:
        """Publish a version with its defaults, and return whether Redis has this version as published.

        A version is skipped where Redis has a newer number, or another version of this number. With `fill` (history
        next to live workers), a version is also skipped where the newest version has newer event time, or the same
        event time and as many examples.
        """
        while True:
            held = self._get(self._keys.population)
            newest = self._number(held)
            stored = self._get(self._keys.population_version(write.n))
            if write.n <= newest or stored not in (None, write.version):
                if stored != write.version:
                    _log.info(
                        "population.publish_skipped", reason="newer number, or taken", number=write.n, newest=newest
                    )
                return stored == write.version
            if fill and (current := self._version(self._keys, newest)) and _has_seen_as_much(current, write):
                _log.info(
                    "population.publish_skipped",
                    reason="newer event time, or more examples",
                    number=write.n,
                    newest=newest,
                )
                return False
            [reply] = self._client.deliver([self._publish_command(write, held or b"", newest)], [None])
            if isinstance(reply, redis.RedisError):
                _log.error("population.publish_rejected", code=error_code(reply), namespace=self._keys.namespace)
                return False
            if reply == 1:
                return True

    def pin(
        self,
        number: int,
        catalogue: NumberedCatalogue,
        version: PopulationVersion | None = None,
        *,
        writes: bool = True,
    ) -> PopulationVersion:
        """Keep a version permanently in this namespace, and publish it if the namespace has no version.

        Args:
            number: number of the version.
            catalogue: catalogue of the deployment.
            version: the version, where Redis may have lost it; None: it is fetched.
            writes: False returns the version only.

        Raises:
            ConfigurationError: neither the namespace nor the fallback has the version.
        """
        version = version or self.fetch(number)
        if version is None:
            raise ConfigurationError([self._not_kept(number)])
        if not writes:
            return version
        write = population_write(Prior(catalogue, version), version)
        # Pinned first, as another writer could drop the version before that.
        self._client.execute(("SADD", self._keys.population_pinned, number))
        self._client.execute(("SET", self._keys.population_version(number), write.version, "NX"))
        if self._get(self._keys.population) is None:
            self._client.deliver([self._publish_command(write, b"", 0)], [None])
        return version

    def _not_kept(self, number: int) -> str:
        newest = self._number(self._get(self._keys.population))
        held = f"the newest is {newest}" if newest else "it has none"
        return (
            f"population: version {number} is not kept in namespace {self._keys.namespace} ({held}): "
            f"allowed are one of the newest {KEPT}, a pinned one, learn, and none"
        )

    def _publish_command(self, write: PopulationWrite, held: bytes, newest: int) -> Command:
        """Return the call of a script that publishes if `population` still holds `held`."""
        keys = self._keys
        ends = {*range(write.n - 2 * KEPT, write.n - KEPT + 1), *range(newest - KEPT + 1, newest + 1)}
        dropped = [keys.population_version(n) for n in sorted(ends) if 0 < n <= write.n - KEPT]
        named = [keys.population, keys.population_version(write.n), keys.defaults, keys.population_pinned, *dropped]
        fields = [member for field in write.defaults for member in field]
        return ("EVAL", _PUBLISH, len(named), *named, held, write.n, write.version, *fields)

    # Reading

    def _number(self, held: bytes | None) -> int:
        """Return the number in `population`; 0 for none."""
        if held is None:
            return 0
        if not _NUMBER.fullmatch(held):
            self._fail(self._keys.population, "no number")
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
            self._fail(key, str(error))
            return None
        if version.n != number:
            self._fail(key, f"number {version.n} inside")
            return None
        self._outages.recovered()
        return version

    def _get(self, key: str) -> bytes | None:
        reply: Reply
        [reply] = self._client.deliver([("GET", key)], [None])
        if isinstance(reply, redis.RedisError):
            self._fail(key, error_code(reply))
            return None
        return cast("bytes | None", reply)

    def _fail(self, key: str, problem: str) -> None:
        self._outages.failed(cause=(key, problem), key=key, problem=problem)


def _has_seen_as_much(version: PopulationVersion, write: PopulationWrite) -> bool:
    """Events are in order per user only, so several versions can have one newest event time."""
    return (version.at, version.examples) >= (write.at_ms, write.examples)
