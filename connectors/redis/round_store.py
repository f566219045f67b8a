"""Open round of a replay on several machines, in Redis: one writer, and readers in all processes of all hosts.

tacit:v1:REGION:{NAMESPACE}:replay:round:START   HASH: round → number, version → population version

A round is written, and acknowledged, before a record of it is released. A Redis with one primary is linearizable, so a
process that gets such a record from another host reads that round, or a later one. Each common start of the hosts has a
key of its own: a process of an earlier start that was only paused can neither open a round nor see one.
"""

from typing import cast

from connectors.redis.client import RedisClient
from tacit.contract.keys import NamespaceKeys
from tacit.contract.lifetimes import DAY_MS

_ROUND, _VERSION = "round", "version"


class RedisRoundStore:
    """Round of one start. All methods raise SinkError as `RedisClient.deliver`."""

    pause_s = 0.005
    """Time between two looks of a process that waits for a round: some 2 % of a core."""

    def __init__(self, client: RedisClient, keys: NamespaceKeys, start: str) -> None:
        self._client = client
        self._key = keys.replay_round(start)

    def close(self) -> None:
        """Close the connection."""
        self._client.close()

    def write(self, number: int, version: bytes) -> None:
        """Open a round; the key ends a day after its last write."""
        commands = [("HSET", self._key, _ROUND, number, _VERSION, version), ("PEXPIRE", self._key, DAY_MS)]
        for command in commands:
            self._client.execute(command)

    def read(self, above: int) -> tuple[int, bytes] | None:
        """Return the open round and its version; None if the number is not above `above`, or Redis has no round."""
        found = cast("bytes | None", self._client.execute(("HGET", self._key, _ROUND)))
        if found is None or int(found) <= above:
            return None
        number, version = cast("list[bytes | None]", self._client.execute(("HMGET", self._key, _ROUND, _VERSION)))
        return None if number is None or version is None else (int(number), version)

    def delete(self) -> None:
        """Delete the round, at the end of the replay."""
        self._client.execute(("UNLINK", self._key))
