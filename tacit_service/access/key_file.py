"""Keys of assistants in a file: a line of JSON per key, with a hash. A changed file is read again."""

import re
import secrets
from base64 import urlsafe_b64encode
from hashlib import sha256
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
from msgspec import Meta

from tacit.errors import ConfigurationError
from tacit_service.access.callers import PAGE_USER, Caller, Scope
from tacit_service.access.file_watch import FileWatch

NAME = r"^[A-Za-z0-9_.-]{1,64}\Z"
"""Pattern of the name of a key."""

_PREFIX = "tk_"
_KEY = re.compile(r"tk_[A-Za-z0-9_-]{43}")
_MAX_FILE_BYTES = 1 << 20


class HashedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    """Line of the file."""

    name: Annotated[str, Meta(pattern=NAME)]
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}\Z")]
    """Hash of the key, hexadecimal. A key has 256 random bits, so that no slower hash is needed."""
    scopes: list[Scope]
    not_after_ms: int | None = None
    """Unix time in milliseconds from which the key is void; None: never."""


def new_key() -> str:
    """Return a new key of 256 random bits."""
    return _PREFIX + urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


def hashed(key: str, name: str, scopes: list[Scope], not_after_ms: int | None = None) -> HashedKey:
    """Return the line of a key."""
    return HashedKey(name, sha256(key.encode()).hexdigest(), scopes, not_after_ms)


class KeyFile:
    """Verifier of the keys in a file.

    Raises:
        ConfigurationError: the file cannot be read at the start; later, the keys that were read before stay valid.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._watch = FileWatch(path)
        self._keys = read_keys(path)

    @property
    def version(self) -> object:
        """Inode, size and time of the file."""
        if self._watch.has_changed():
            try:
                self._keys = read_keys(self._path)
            except ConfigurationError as error:
                structlog.get_logger("access").warning("keys.unreadable", problem=error.problems[0])
        return self._watch.stamp

    def verify(self, token: str) -> Caller | None:
        """Return the caller of a key."""
        if not _KEY.fullmatch(token):
            return None
        hash_ = sha256(token.encode()).digest()
        found: Caller | None = None
        for each, caller in self._keys:  # every hash is compared, in constant time
            if secrets.compare_digest(each, hash_):
                found = caller
        return found


def read_keys(path: Path) -> list[tuple[bytes, Caller]]:
    """Return hash and caller of each key of a file.

    Raises:
        ConfigurationError: the file cannot be read, or a line is no key.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError([f"keys: {path} cannot be read: {error.strerror}; make it with tacit token"]) from None
    if len(data) > _MAX_FILE_BYTES:
        raise ConfigurationError([f"keys: {path} has more than {_MAX_FILE_BYTES} bytes; remove void keys"])
    found = []
    for number, line in enumerate(data.splitlines(), start=1):
        if not line.strip():
            continue
        try:
            key = msgspec.json.decode(line, type=HashedKey)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise ConfigurationError([f"keys: line {number} of {path} is no key; make it with tacit token"]) from None
        if key.name == PAGE_USER:
            raise ConfigurationError([f"keys: line {number} of {path} has the name of page users; take another"])
        until_s = float("inf") if key.not_after_ms is None else key.not_after_ms / 1000
        found.append((bytes.fromhex(key.sha256), Caller(key.name, frozenset(key.scopes), until_s)))
    return found
