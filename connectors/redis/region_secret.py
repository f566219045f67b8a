"""Fingerprint of a region's secret in Redis: pseudonyms under another secret find no user, and no "no"."""

from typing import cast

from connectors.redis.client import RedisClient
from state.errors import OwnershipError
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import fingerprint


class RegionSecret:
    """Secret of a region. All methods raise SinkError as `RedisClient.deliver`."""

    def __init__(self, client: RedisClient, keys: RegionKeys) -> None:
        self._client = client
        self._keys = keys

    def stored(self) -> str | None:
        """Return the stored fingerprint; None without one."""
        found = cast("bytes | None", self._client.execute(("GET", self._keys.secret)))
        return None if found is None else found.decode("utf-8", "replace")

    def problem(self, own: str) -> str | None:
        """Return the problem of a fingerprint that is not that of the region; None: it fits, or none is stored."""
        stored = self.stored()
        if stored is None or stored == own:
            return None
        return (
            f"Redis has signals of region {self._keys.region} under another secret (fingerprint {stored}, not {own}): "
            "set TACIT_SECRET to the one of its workers, or change the secret by tacit state rotate-secret"
        )

    def require(self, own: str) -> None:
        """Raise OwnershipError if the region has another secret."""
        if problem := self.problem(own):
            raise OwnershipError(problem)

    def keep(self, own: str) -> None:
        """Store a fingerprint if none is stored; raise OwnershipError if the region has another secret."""
        if self.stored() is None:  # read first: out of memory, Redis rejects even a SET without an effect
            self._client.execute(("SET", self._keys.secret, own, "NX"))
        self.require(own)

    def replace(self, own: str) -> None:
        """Store the fingerprint of a new secret."""
        self._client.execute(("SET", self._keys.secret, own))


def require_secret(client: RedisClient, region: str, secret: bytes) -> None:
    """Raise OwnershipError if a secret is not that of the region in Redis."""
    RegionSecret(client, RegionKeys(region)).require(fingerprint(secret))
