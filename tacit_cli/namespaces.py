"""Namespaces of the region that the settings of a command name."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from connectors.redis.client import RedisClient
from connectors.redis.namespaces import Namespaces
from dataflows.settings import Settings
from tacit.contract.keys import RegionKeys

RETRY_FOR_S = 5.0
"""Limit of retries: a user waits for the command."""


@contextmanager
def namespaces_of(settings: Settings) -> Iterator[Namespaces]:
    """Yield the namespaces, and close the connection at the end."""
    keys = RegionKeys(settings.region)
    with closing(Namespaces(RedisClient(settings.redis, retry_for_s=RETRY_FOR_S), keys)) as namespaces:
        yield namespaces
