"""Pseudonyms: keyed hashes of user ids.

A worker identifies a user by 16 bytes, Redis by their text form. Only the parser sees the raw id.
"""

import re
from hashlib import blake2b
from typing import Literal
from unicodedata import normalize

PSEUDONYM_BYTES = 16
SECRET_BYTES = range(16, 65)
"""Allowed lengths of the secret: BLAKE2b takes a key of up to 64 bytes."""

IdComparison = Literal["exact", "casefold"]
"""Comparison of user ids: by bytes, or without regard to case, Unicode form and white space at both ends."""

_SCHEME = "k1."
_TEXT = re.compile(r"k1\.[0-9a-f]{32}")


def pseudonym(user_id: str, secret: bytes, identity: IdComparison = "exact") -> bytes:
    """Return the 16-byte keyed BLAKE2b hash of a user id (RFC 7693).

    Args:
        user_id: any string.
        secret: the key.
        identity: the comparison of user ids in the deployment's catalogue.
    """
    if identity == "casefold":
        user_id = folded(user_id)
    return blake2b(user_id.encode("utf-8", "surrogatepass"), key=secret, digest_size=PSEUDONYM_BYTES).digest()


def folded(user_id: str) -> str:
    r"""Return a user id trimmed, case-folded and in NFC, the same for canonically equivalent ids of any case.

    Folding works on decomposed characters, as the Unicode Standard defines caseless matching (section 3.13, D145).

    >>> folded("\tADA@Example.ORG ")
    'ada@example.org'
    """
    return normalize("NFC", normalize("NFD", user_id.strip()).casefold())


def fingerprint(secret: bytes) -> str:
    """Return 8 characters that distinguish a secret from another secret and reveal nothing else.

    >>> fingerprint(b"0123456789abcdef") == fingerprint(b"0123456789abcdeg")
    False
    """
    return blake2b(b"fingerprint", key=secret, digest_size=4).hexdigest()


def pseudonym_text(user: bytes) -> str:
    """Return the text form of a pseudonym, as keys have it.

    >>> pseudonym_text(pseudonym("ada", b"0123456789abcdef"))
    'k1.19615f50f43e3144eda7c8637352faa3'
    """
    return _SCHEME + user.hex()


def pseudonym_bytes(text: str) -> bytes:
    """Return the 16 bytes of a pseudonym's text.

    >>> pseudonym_bytes(pseudonym_text(bytes(16))) == bytes(16)
    True
    """
    return bytes.fromhex(text.removeprefix(_SCHEME))


def is_pseudonym(text: str) -> bool:
    """Return whether a text is that of a pseudonym.

    >>> is_pseudonym("k1.19615f50f43e3144eda7c8637352faa3"), is_pseudonym("k1.19615f50f43e3144eda7c8637352faa3x")
    (True, False)
    """
    return _TEXT.fullmatch(text) is not None
