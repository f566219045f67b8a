"""Entries of the feed of changes."""

from typing import cast

import redis


def announced(client: redis.Redis, feed: str) -> list[list[str]]:
    """Return the users of each entry, by pseudonym."""
    entries = cast("list[tuple[object, dict[str | bytes, str | bytes]]]", client.xrange(feed))
    return [_text(users).split(",") for _, entry in entries for users in entry.values()]


def _text(text: str | bytes) -> str:
    return text.decode() if isinstance(text, bytes) else text
