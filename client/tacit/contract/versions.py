"""Versions of signals: they decide which of two writes is newer."""

import re

_VERSION = re.compile(r"\d{13}-\d{10}")


def version(event_ms: int, seq: int) -> str:
    """Return a version: the user's newest event time, then the number of accepted events. Text order is age order.

    >>> version(1795297433438, 42)
    '1795297433438-0000000042'
    >>> version(999, 1) < version(1000, 0)
    True
    """
    return f"{event_ms:013d}-{seq:010d}"


def is_version(text: str) -> bool:
    """Return whether `text` is a version.

    >>> is_version("1795297433438-0000000042"), is_version("42")
    (True, False)
    """
    return _VERSION.fullmatch(text) is not None
