"""Keys of objects: the part of a URL behind the prefix, in a form that every store and every disk takes."""

import re

MAX_BYTES = 800
"""A limit of S3 is 1,024 bytes, with the prefix."""
_SEGMENT = re.compile(r"[A-Za-z0-9_=@+,~-][A-Za-z0-9._=@+,~-]{0,199}")
"""Segment between slashes; no dot at its beginning, as folders have lock and temporary files of such names."""


def is_key(text: str) -> bool:
    """Return True for segments of ASCII letters, digits and `._=@+,~-`, between slashes.

    >>> [is_key(text) for text in ("cuts/000001/manifest.json", "", "/a", "a//b", "../a", "a b")]
    [True, False, False, False, False, False]
    """
    return len(text) <= MAX_BYTES and all(map(_SEGMENT.fullmatch, text.split("/")))


def checked(key: str) -> str:
    """Return a key.

    Raises:
        ValueError: `is_key` is False, which is a bug of the caller.
    """
    if not is_key(key):
        raise ValueError("the key of an object has segments of ASCII letters, digits and ._=@+,~- between slashes")
    return key
