"""Reader of the feed of changes: the users whose signals or gates a live run has just written."""

import re
from typing import NamedTuple

from tacit.contract.keys import LIVE, NAMESPACE, RegionKeys

_PAGE = 100
_ID = re.compile(rb"([0-9]{1,20})-([0-9]{1,20})")

FeedId = tuple[int, int]
"""Numbers in the id of an entry: milliseconds, and a count within them."""


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
        self._last: FeedId | None = None
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
        active, newer, oldest = self._transport.execute(
            [
                ("GET", self._region_keys.active),
                ("XRANGE", changes, start_after(self._last), "+", "COUNT", _PAGE),
                ("XRANGE", changes, "-", "+", "COUNT", 1),  # last: what is trimmed in between counts as missed
            ]
        )
        found = entries_in(newer)
        if found is None or self._has_moved(active):
            self._last = None
            return None if found is None else self._begin()
        if not found:
            return None
        first = (entries_in(oldest) or found)[0][0]
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
            start = start_after(last)
            [reply] = self._transport.execute([("XRANGE", self._keys.changes, start, "+", "COUNT", _PAGE)])
            found = entries_in(reply)
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


def id_of(text: bytes) -> FeedId | None:
    """Return the numbers of an id; None: the text is no id.

    >>> id_of(b"1795297433438-0"), id_of(b"x")
    ((1795297433438, 0), None)
    """
    found = _ID.fullmatch(text)
    return (int(found[1]), int(found[2])) if found else None


def start_after(last: FeedId) -> str:
    """Return the start of an XRANGE for the entries after an id."""
    return f"({last[0]}-{last[1]}"


def entries_in(reply: object) -> list[tuple[FeedId, list[str]]] | None:
    """Return id and pseudonyms of each entry in a reply to XRANGE; None: Redis does not answer."""
    if not isinstance(reply, list):
        return None
    found = []
    for entry in reply:
        match entry:
            case [bytes() as text, [_, bytes() as users, *_]] if id_ := id_of(text):
                found.append((id_, users.decode("ascii", "replace").split(",")))
    return found
