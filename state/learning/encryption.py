"""Encryption of bytes with a key: without the key they cannot be read, and a change is found.

The construction is a synthetic initialisation vector (Rogaway, Shrimpton, EUROCRYPT 2006): equal bytes have equal
ciphertexts, so a state that is computed twice is stored with the same bytes.
"""

from hashlib import blake2b, shake_256
from hmac import compare_digest

_VECTOR_BYTES = 16


def derived_key(secret: bytes) -> bytes:
    """Return the key of the population model, from the deployment's secret."""
    return blake2b(secret, digest_size=32, person=b"tacit.population").digest()


def encrypt(data: bytes, key: bytes) -> bytes:
    """Return encrypted bytes.

    >>> decrypt(encrypt(b"votes", b"key"), b"key"), decrypt(encrypt(b"votes", b"key"), b"another key")
    (b'votes', None)
    """
    vector = _vector(data, key)
    return vector + _crypt(data, key, vector)


def decrypt(encrypted: bytes, key: bytes) -> bytes | None:
    """Return the bytes of `encrypt`; None for another key or other bytes."""
    vector = encrypted[:_VECTOR_BYTES]
    data = _crypt(encrypted[_VECTOR_BYTES:], key, vector)
    return data if compare_digest(vector, _vector(data, key)) else None


def _vector(data: bytes, key: bytes) -> bytes:
    return blake2b(data, key=key, digest_size=_VECTOR_BYTES, person=b"tacit.encrypt").digest()


def _crypt(data: bytes, key: bytes, vector: bytes) -> bytes:
    stream = shake_256(len(key).to_bytes(2, "little") + key + vector).digest(len(data))
    return (int.from_bytes(data, "little") ^ int.from_bytes(stream, "little")).to_bytes(len(data), "little")
