"""Feed of changes: a stream per namespace with the users that a live run has just written.

Assistants that keep signals in memory read the users again. An entry follows the writes that it announces, and a
repeated write, as after a crash, is announced again. So no reader keeps a value from before an announcement.
"""

from collections.abc import Iterable
from time import monotonic, time

import redis

from connectors.outage import OutageLog
from connectors.redis.client import RedisClient
from connectors.redis.error_codes import error_code
from state.counters import SinkCounters
from tacit.contract.keys import NamespaceKeys
from tacit.contract.lifetimes import FEED_ENTRIES, FEED_MS
from tacit.contract.pseudonyms import pseudonym_text
from tacit.reader.round_trips import Command

TRIM_EVERY_S = 60.0
"""Time between entries that drop entries by age instead of by number."""
MOST_WAITING = 4096
"""Most users that wait for a Redis that takes no entry; the oldest are dropped."""


class ChangeFeed:
    """The feed of one namespace, which never fails a write: users of a rejected entry wait for the next one.

    Args:
        client: client of the writes.
        keys: keys of the namespace.
        counters: counts to add to.
    """

    def __init__(self, client: RedisClient, keys: NamespaceKeys, counters: SinkCounters) -> None:
        self._client = client
        self._key = keys.changes
        self._counters = counters
        self._waiting: dict[bytes, None] = {}
        self._trimmed_s = -TRIM_EVERY_S
        self._outages = OutageLog("change_feed")

    def announce(self, users: Iterable[bytes]) -> None:
        """Add an entry with these users and those that wait; without any, add none."""
        self._waiting.update(dict.fromkeys(users))
        if not self._waiting:
            return
        is_trimming = (now_s := monotonic()) >= self._trimmed_s + TRIM_EVERY_S
        replies = self._client.send_once(self._commands(is_trimming=is_trimming))
        if errors := [error_code(reply) for reply in replies if isinstance(reply, redis.RedisError)]:
            self._counters.unannounced += 1
            self._outages.failed(code=errors[0])
            self._waiting = dict.fromkeys(list(self._waiting)[-MOST_WAITING:])
            return
        if is_trimming:
            self._trimmed_s = now_s
        self._outages.recovered()
        self._waiting.clear()

    def _commands(self, *, is_trimming: bool) -> list[Command]:
        """Return the entry, and the new expiry of the feed."""
        users = ",".join(map(pseudonym_text, self._waiting))
        limit = ("MINID", "=", int(time() * 1000) - FEED_MS) if is_trimming else ("MAXLEN", "~", FEED_ENTRIES)
        return [("XADD", self._key, *limit, "*", "users", users), ("PEXPIRE", self._key, FEED_MS)]
