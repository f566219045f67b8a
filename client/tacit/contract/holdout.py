"""The holdout: a fixed share of users with the catalogue's defaults, so that the others' gain can be measured."""

from hashlib import blake2b

_HASH_BYTES = 8
_HASHES: int = 2 ** (8 * _HASH_BYTES)


def is_held_out(user: bytes, share: float) -> bool:
    """Return whether a user is in the holdout; a larger share keeps all users of a smaller one.

    Args:
        user: 16-byte pseudonym. A new secret makes other pseudonyms, so it selects other users.
        share: share of users, 0–0.5.

    >>> is_held_out(bytes(16), 0.0), is_held_out(bytes(16), 0.5)
    (False, True)
    """
    if not share:
        return False
    hashed = blake2b(user, digest_size=_HASH_BYTES, person=b"tacit.holdout").digest()
    return int.from_bytes(hashed, "big") < share * _HASHES
