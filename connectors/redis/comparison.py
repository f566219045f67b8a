"""Comparison of two namespaces over all users, or over a sample of them."""

from collections.abc import Iterable, Iterator
from itertools import islice

from connectors.redis.client import RedisClient
from connectors.redis.difference import ALL_USERS, Difference, Terms
from connectors.redis.fillings import Fillings
from connectors.redis.held import Fields, fields_of, held, read_gate
from connectors.redis.user_scan import sample_of, users_in
from tacit.contract.gates import Gate
from tacit.contract.keys import RegionKeys

USERS_AT_ONCE = 500


def compare(client: RedisClient, keys: RegionKeys, first: str, second: str, terms: Terms = ALL_USERS) -> Difference:
    """Compare the users of two namespaces; a write during the comparison counts or not.

    Raises:
        SinkError: as `RedisClient.deliver`.
    """
    both = keys.within(first), keys.within(second)
    filled = (Fillings(client, both[0]).read(), Fillings(client, both[1]).read())
    learn = all(client.execute(("GET", each.population)) for each in both)
    found = Difference(first, second, terms, filled, learn)
    users: Iterable[str] = users_in(client, keys, {first, second})
    if terms.sample is not None:
        users = sample_of(iter(users), terms.sample)
    for _, (one, other), gate in read_users(client, keys, users, (first, second)):
        found.add(held(one), held(other), gate)
    return found


def read_users(
    client: RedisClient, keys: RegionKeys, users: Iterable[str], namespaces: tuple[str, ...]
) -> Iterator[tuple[str, list[Fields], Gate]]:
    """Yield each user with the fields in each namespace, and the gate. Errors as in `compare`."""
    names = [keys.within(namespace) for namespace in namespaces]
    each = len(names) + 1
    remaining = iter(users)
    while some := list(islice(remaining, USERS_AT_ONCE)):
        commands = [
            command
            for user in some
            for command in (*[("HGETALL", name.signals_of(user)) for name in names], ("GET", keys.gate_of(user)))
        ]
        replies = client.deliver(commands, [command[1] for command in commands])
        for number, user in enumerate(some):
            *hashes, gate = replies[each * number : each * (number + 1)]
            yield user, [fields_of(reply) for reply in hashes], read_gate(gate)
