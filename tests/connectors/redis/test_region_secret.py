"""Fingerprint of a region's secret on a real Redis."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from connectors.redis.client import RedisClient
from connectors.redis.region_secret import RegionSecret, require_secret
from state.errors import OwnershipError
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import fingerprint

OWN, OTHER = b"0123456789abcdef", b"0123456789abcdeg"


@pytest.fixture
def client(redis_url: str) -> Iterator[RedisClient]:
    with closing(RedisClient(redis_url)) as opened:
        yield opened


@pytest.fixture
def secret(client: RedisClient) -> RegionSecret:
    return RegionSecret(client, RegionKeys("eu"))


def test_region_without_a_secret_accepts_any(secret: RegionSecret, client: RedisClient) -> None:
    """A check stores nothing."""
    require_secret(client, "eu", OWN)
    assert secret.stored() is None


def test_first_secret_is_kept(secret: RegionSecret, client: RedisClient) -> None:
    """Another one is an error that has both fingerprints, and no secret."""
    secret.keep(fingerprint(OWN))
    secret.keep(fingerprint(OWN))
    require_secret(client, "eu", OWN)
    require_secret(client, "us", OTHER)
    with pytest.raises(OwnershipError, match=f"fingerprint {fingerprint(OWN)}, not {fingerprint(OTHER)}") as caught:
        secret.keep(fingerprint(OTHER))
    assert OTHER.decode() not in str(caught.value)
    with pytest.raises(OwnershipError):
        require_secret(client, "eu", OTHER)
    assert secret.stored() == fingerprint(OWN)


def test_rotation_replaces_the_secret(secret: RegionSecret) -> None:
    secret.keep(fingerprint(OWN))
    secret.replace(fingerprint(OTHER))
    secret.keep(fingerprint(OTHER))
    assert secret.stored() == fingerprint(OTHER)
