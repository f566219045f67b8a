"""Counters of a host as bytes, by which the first host of a bounded run counts over all hosts."""

from typing import Any

import msgspec

from state.counters import Counters


def pack_counters(counters: Counters) -> bytes:
    """Return counters as bytes."""
    return msgspec.msgpack.encode(counters)


def unpack_counters(packed: bytes) -> Counters:
    """Return the counters in bytes; zeros for none.

    >>> counters = Counters()
    >>> counters.source.gaps["deleted"] = 3
    >>> counters.events.repaired["pin", "value"] = 2
    >>> unpack_counters(pack_counters(counters)) == counters, unpack_counters(b"") == Counters()
    (True, True)
    """
    return msgspec.msgpack.decode(packed, type=Counters, dec_hook=_convert) if packed else Counters()


def _convert(kind: type[Any], value: object) -> object:
    """Return a `collections.Counter`, which msgspec does not know, of its dict."""
    return kind(value)
