"""Needles: the bytes that a search for a user looks for, and the search in a stream of bytes."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple
from unicodedata import normalize
from urllib.parse import quote

from tacit.contract.pseudonyms import PSEUDONYM_BYTES, IdComparison, pseudonym

ID, PSEUDONYM, SEARCHED = "id", "pseudonym", "bytes"
"""Kinds of needles: a form of the user id, a form of the pseudonym, other bytes that the caller names."""

SHORTEST_ID_BYTES = 5
"""A shorter id is found as a whole JSON string only: as a bare run of bytes, it would be found in every file."""

SHARED_BYTES = 4
"""Bytes at the start of a pseudonym that a table of RocksDB may leave out, as they equal those of the key before."""

_CHUNK_BYTES = 1 << 20


class Trace(NamedTuple):
    """A place with bytes of a user; never the id itself."""

    place: str
    """File, Redis key or partition of a topic."""
    offset: int
    """Byte in the file, after decompression; in a topic, the record's offset; in Redis 0."""
    kind: str
    """`id`, `pseudonym` or `bytes`; in a table of a state folder `tombstone`, `pins` or `learned`; `unreadable`."""


@dataclass(frozen=True)
class Needles:
    """The bytes to find, by kind. The text form shows none of them."""

    user: bytes
    """The 16-byte pseudonym."""
    patterns: tuple[tuple[bytes, str], ...]
    """(bytes, kind)."""

    def __repr__(self) -> str:
        return f"Needles({len(self.patterns)} patterns)"

    def including(self, *found: bytes) -> "Needles":
        """Return needles with more bytes, of the kind `bytes`: such as a user's packed state."""
        return Needles(self.user, (*self.patterns, *((pattern, SEARCHED) for pattern in found)))

    @property
    def longest(self) -> int:
        """Length of the longest needle."""
        return max(len(pattern) for pattern, _ in self.patterns)

    @property
    def raw(self) -> bytes:
        """The end of the pseudonym as bytes, as a table of RocksDB may have it."""
        return self.user[SHARED_BYTES:]

    def in_bytes(self, data: bytes) -> set[str]:
        """Return the kinds that occur in some bytes."""
        return {kind for pattern, kind in self.patterns if pattern in data}

    def masked(self, text: str) -> str:
        """Return a file name or key without the id."""
        data = text.encode("utf-8", "surrogateescape")
        for pattern, kind in self.patterns:
            if kind == ID:
                data = data.replace(pattern, "…".encode())
        return data.decode("utf-8", "replace")


def needles_of(user_id: str, secret: bytes, identity: IdComparison = "exact") -> Needles:
    """Return the needles of a user: the id in each usual form, and the pseudonym as text and as bytes.

    >>> needles_of("ada", b"0123456789abcdef")
    Needles(5 patterns)
    """
    user = pseudonym(user_id, secret, identity)
    forms = {pattern: ID for text in _spellings(user_id) for pattern in _encoded(text)}
    forms |= dict.fromkeys((user.hex().encode(), user.hex().upper().encode(), user[SHARED_BYTES:]), PSEUDONYM)
    return Needles(user, tuple(forms.items()))


def pseudonym_needles(user: bytes) -> Needles:
    """Return the needles of a user of unknown id.

    Raises:
        ValueError: `user` is no pseudonym.
    """
    if len(user) != PSEUDONYM_BYTES:
        raise ValueError("a pseudonym has 16 bytes")
    forms = dict.fromkeys((user.hex().encode(), user.hex().upper().encode(), user[SHARED_BYTES:]), PSEUDONYM)
    return Needles(user, tuple(forms.items()))


def _spellings(user_id: str) -> set[str]:
    """Return the id, and the same id under the Unicode forms and cases that count as one user under `casefold`."""
    stripped = user_id.strip() or user_id
    cases = {user_id, stripped, stripped.casefold(), stripped.lower(), stripped.upper()}
    return {normalize(form, text) for text in cases for form in ("NFC", "NFD")} | {user_id}


def _encoded(text: str) -> Iterable[bytes]:
    """Return the id as UTF-8, as a JSON string with escapes, and percent-encoded."""
    plain = text.encode("utf-8", "surrogatepass")
    escaped = json.dumps(text)[1:-1].encode()
    quoted = quote(plain).encode()
    forms = {plain, escaped, escaped.replace(b"/", b"\\/"), quoted, quoted.replace(b"%20", b"+")}
    return {form if len(form) >= SHORTEST_ID_BYTES else b'"' + form + b'"' for form in forms}


def search(stream: BinaryIO, needles: Needles) -> Iterator[tuple[int, str]]:
    """Yield (offset, kind) of each needle in a stream, also across the borders of chunks, in bounded memory."""
    kept, start = b"", 0
    while chunk := stream.read(_CHUNK_BYTES):
        data = kept + chunk
        yield from sorted(
            (start + at, kind) for pattern, kind in needles.patterns for at in _new(data, pattern, len(kept))
        )
        kept = data[-(needles.longest - 1) :]
        start += len(data) - len(kept)


def _new(data: bytes, pattern: bytes, known: int) -> Iterator[int]:
    """Yield the places of a pattern that end behind the first `known` bytes, where the last chunk ended."""
    at = data.find(pattern, max(0, known - len(pattern) + 1))
    while at >= 0:
        yield at
        at = data.find(pattern, at + 1)
