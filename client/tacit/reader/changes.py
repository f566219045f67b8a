"""Reader of the feed of changes: the users whose signals or gates a live run has just written."""

import re
from typing import NamedTuple

from tacit.contract.keys import LIVE, NAMESPACE, RegionKeys

_PAGE = 100
_ID = re.compile(rb"([0-9]{1,20})-([0-9]{1,20})")

_Id = tuple[int, int]
_Entry = tuple[_Id, list[str]]


class Changed(NamedTuple):
    """Users whose signals or gates changed."""

    users: frozenset[str]
    """Pseudonyms (`tacit.pseudonym_text`)."""
    missed: bool = False
    """Some changes are not known: the signals of any user may have changed."""


_MISSED = Changed(frozenset(), missed=True)


class ChangeReader:
    """Reader of the feed of the active namespace, for a single thread; a failing Redis raises no error.

    Args:
        url: as for `SignalReader`.
        region: the region of the users.
        namespace: the namespace to follow; None: the active one.

    Raises:
        ConfigurationError: an invalid argument.
    """

    def __init__(self, url: str, *, region: str, namespace: str | None = None) -> None:
        self._region_keys = RegionKeys(region)
        self._follows_active = namespace is None
        self._keys = self._region_keys.within(namespace or LIVE)
        from tacit.reader.transport import Transport  # redis-py, which events and catalogues do not need

        self._transport = Transport(url)
        self._last: _Id | None = None
        """Id of the newest entry that was read; None: the next poll begins at the end of the feed."""
        self._has_begun = False

    def poll(self) -> Changed | None:
        """Return the changes since the last poll; None without changes. One round trip.

        The first poll begins at the end of the feed. After an outage, after a promotion of another namespace, and where
        the feed has lost entries, `missed` is set.
        """
        if self._last is None:
            return self._begin()
        changes = self._keys.changes
        active, oldest, newer = self._transport.execute(
            [
                ("GET", self._region_keys.active),
                ("XRANGE", changes, "-", "+", "COUNT", 1),
                ("XRANGE", changes, _after(self._last), "+", "COUNT", _PAGE),
            ]
        )
        found = _entries(newer)
        if found is None or self._has_moved(active):
            self._last = None
            return None if found is None else self._begin()
        if not found:
            return None
        first = (_entries(oldest) or found)[0][0]
        has_lost = (0, 0) < self._last < first
        self._last = found[-1][0]
        return _MISSED if has_lost else Changed(frozenset(user for _, users in found for user in users))

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def _begin(self) -> Changed | None:
        """Move to the end of the feed."""
        last = (0, 0)
        [active] = self._transport.execute([("GET", self._region_keys.active)])
        self._has_moved(active)
        while True:
            [reply] = self._transport.execute([("XRANGE", self._keys.changes, _after(last), "+", "COUNT", _PAGE)])
            found = _entries(reply)
            if found is None:
                return None
            last = found[-1][0] if found else last
            if len(found) < _PAGE:
                break
        self._last = last
        is_first, self._has_begun = not self._has_begun, True
        return None if is_first else _MISSED

    def _has_moved(self, active: object) -> bool:
        """Follow the active namespace, and return whether the namespace is another."""
        if not self._follows_active or not isinstance(active, bytes | None):
            return False
        name = LIVE if active is None else active.decode("utf-8", "replace")
        before = self._keys
        if re.fullmatch(NAMESPACE, name):
            self._keys = self._region_keys.within(name)
        return self._keys != before


def _after(last: _Id) -> str:
    return f"({last[0]}-{last[1]}"


def _entries(reply: object) -> list[_Entry] | None:
    """Return id and pseudonyms of each entry; None: Redis does not answer."""
    if not isinstance(reply, list):
        return None
    found = []
    for entry in reply:
        match entry:
            case [bytes() as id_, [_, bytes() as users, *_]] if parts := _ID.fullmatch(id_):
                found.append(((int(parts[1]), int(parts[2])), users.decode("ascii", "replace").split(",")))
    return found
