"""Tally of the signals of a namespace, by facet and tier."""

from connectors.redis.client import RedisClient
from connectors.redis.comparison import read_users
from connectors.redis.held import held
from connectors.redis.user_scan import users_in
from tacit.contract.keys import RegionKeys


def tally(client: RedisClient, keys: RegionKeys, namespace: str) -> dict[str, dict[str, int]]:
    """Return facet → tier → number of signals; a field that is no signal does not count.

    Raises:
        SinkError: Redis does not answer, or the user has no right to SCAN.
    """
    found: dict[str, dict[str, int]] = {}
    for _, (fields,), _ in read_users(client, keys, users_in(client, keys, {namespace}), (namespace,)):
        for facet, signal in held(fields).signals.items():
            tiers = found.setdefault(facet, {})
            tiers[signal.tier] = tiers.get(signal.tier, 0) + 1
    return {facet: found[facet] for facet in sorted(found)}
