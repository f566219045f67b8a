"""Keys of one user in Redis, for an export."""

from contextlib import closing
from typing import Any, cast

import msgspec

from connectors.redis.client import COMMAND_RETRY_FOR_S, RedisClient
from dataflows.control.export_document import RedisKey, RedisPart
from dataflows.control.export_parts import ABOUT
from tacit.contract.gates import Gate, decode_gate
from tacit.contract.keys import RegionKeys

_NO_EXPIRY = -1
_UNREADABLE = "not readable as what Tacit writes"


def redis_part(url: str, region: str, user: bytes) -> RedisPart:
    """Return gate and history of a user, and the signals in every namespace of the region, with times to live.

    Raises:
        SinkError: Redis does not answer, or the user lacks the rights (`tacit-auditor` has them).
    """
    keys = RegionKeys(region)
    with closing(RedisClient(url, retry_for_s=COMMAND_RETRY_FOR_S)) as client:
        members = cast("list[bytes]", client.execute(("SMEMBERS", keys.namespaces)))
        found = [_gate(client, keys.gate(user)), _history(client, keys.history(user))]
        found += [_signals(client, keys.within(name.decode()).signals(user)) for name in sorted(members)]
    return RedisPart(ABOUT["redis"], tuple(key for key in found if key is not None))


def _gate(client: RedisClient, key: str) -> RedisKey | None:
    data = cast("bytes | None", client.execute(("GET", key)))
    if data is None:
        return None
    try:
        content = _as_document(decode_gate(data))
    except (ValueError, msgspec.MsgspecError):
        content = _UNREADABLE
    return RedisKey(key, _ttl_ms(client, key), content)


def _as_document(gate: Gate) -> Any:
    document = msgspec.to_builtins(gate)
    for scope in ("learn", "use", "explore"):
        document[scope] = getattr(gate, scope)._asdict()
    document["pins"] = {facet: pin._asdict() for facet, pin in gate.pins.items()}
    return document


def _history(client: RedisClient, key: str) -> RedisKey | None:
    data = cast("bytes | None", client.execute(("GET", key)))
    return None if data is None else RedisKey(key, _ttl_ms(client, key), _field(data))


def _signals(client: RedisClient, key: str) -> RedisKey | None:
    reply = cast("list[bytes]", client.execute(("HGETALL", key)))
    if not reply:
        return None
    fields = zip(reply[::2], reply[1::2], strict=True)
    content = {name.decode("utf-8", "replace"): _field(value) for name, value in fields}
    return RedisKey(key, _ttl_ms(client, key), content)


def _field(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return data.decode("utf-8", "replace")


def _ttl_ms(client: RedisClient, key: str) -> int | None:
    found = cast("int", client.execute(("PTTL", key)))
    return None if found == _NO_EXPIRY else found
