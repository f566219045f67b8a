"""Versions of signals: they decide which of two writes is newer."""

import re
from functools import lru_cache

_VERSION = re.compile(r"[0-9]{13}-[0-9]{10}")


def version(event_ms: int, seq: int) -> str:
    """Return a version: the user's newest event time, then the number of accepted events. Text order is age order.

    >>> version(1795297433438, 42)
    '1795297433438-0000000042'
    >>> version(999, 1) < version(1000, 0)
    True
    """
    return f"{event_ms:013d}-{seq:010d}"


_VERSIONS = re.compile(r"m[0-9]{1,4}\.c[0-9]{1,4}\.p[0-9]{1,15}")


def is_version(text: str) -> bool:
    """Return whether `text` is a version.

    >>> is_version("1795297433438-0000000042"), is_version("42")
    (True, False)
    """
    return _VERSION.fullmatch(text) is not None


@lru_cache(1024)  # the signals of a deployment have few different texts
def are_versions(text: str) -> bool:
    """Return whether `text` has the versions of model, catalogue and population.

    >>> are_versions("m1.c3.p12"), are_versions("m1")
    (True, False)
    """
    return _VERSIONS.fullmatch(text) is not None
