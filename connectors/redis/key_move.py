"""Move of users' keys to other pseudonyms, in all namespaces of a region.

Copies come first, and deletions last: at every moment a reader with both secrets finds every "no".
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Literal, cast

import redis

from connectors.redis.client import RedisClient
from tacit.contract.gates import Gate, decode_gate
from tacit.contract.keys import RegionKeys, hash_tag
from tacit.contract.pseudonyms import pseudonym_text
from tacit.reader.round_trips import Command, Reply

KEYS_AT_ONCE = 500
_PSEUDONYM = re.compile(r"k1\.([0-9a-f]{32})")

Kind = Literal["gate", "history", "signals"]
_KINDS: tuple[Kind, ...] = ("gate", "history", "signals")

NewName = Callable[[bytes], bytes | None]
"""Old pseudonym → new pseudonym; None: the user's id is not known."""


@dataclass(slots=True)
class MovedKeys:
    """Counts of a move."""

    gates: int = 0
    histories: int = 0
    signals: int = 0
    signals_deleted: int = 0
    """Signals of users whose id is not known."""
    histories_deleted: int = 0
    """Histories of such users."""
    gates_deleted: int = 0
    """Gates of such users without a "no", a pin and a wipe."""
    gates_kept: int = 0
    """Gates of such users with a "no", a pin or a wipe; they stay under the old pseudonym."""

    def as_dict(self) -> dict[str, int]:
        """Return the counts for JSON."""
        return asdict(self)


class KeyMove:
    """The users' keys of a region.

    All methods raise SinkError as `RedisClient.deliver`.
    """

    def __init__(self, client: RedisClient, region: str, new_name: NewName, is_new: Callable[[bytes], bool]) -> None:
        """Take the names from `new_name`; keys for which `is_new` holds were moved before."""
        self._client = client
        self._prefix = f"tacit:v1:{RegionKeys(region).region}:"
        self._new_name = new_name
        self._is_new = is_new
        self.moved = MovedKeys()

    def copy(self) -> None:
        """Copy the keys of users with a known id, with their time to live, gates first."""
        for kind in _KINDS:
            keys = self._old_keys(kind)
            while some := list(islice(keys, KEYS_AT_ONCE)):
                names = {key: (user, name) for key, user in some if (name := self._new_name(user)) is not None}
                copies = {
                    key: key.replace(pseudonym_text(user), pseudonym_text(name)) for key, (user, name) in names.items()
                }
                self._copy(copies, kind)

    def delete(self) -> None:
        """Delete the old keys, gates last, but for gates that restrict a user of unknown id."""
        for kind in reversed(_KINDS):
            keys = self._old_keys(kind)
            while some := list(islice(keys, KEYS_AT_ONCE)):
                gone = [key for key, user in some if self._may_delete(key, user, kind)]
                self._client.deliver([("UNLINK", key) for key in gone], gone)

    def _may_delete(self, key: str, user: bytes, kind: Kind) -> bool:
        if self._new_name(user) is not None:
            return True
        if kind == "signals":
            self.moved.signals_deleted += 1
            return True
        if kind == "history":
            self.moved.histories_deleted += 1
            return True
        if _restricts(self._client.execute(("GET", key))):
            self.moved.gates_kept += 1
            return False
        self.moved.gates_deleted += 1
        return True

    def _copy(self, copies: dict[str, str], kind: Kind) -> None:
        """Copy keys: old → new."""
        reads = [(name, key) for key in copies for name in ("HGETALL" if kind == "signals" else "GET", "PTTL")]
        replies = self._client.deliver(reads, [key for _, key in reads])
        writes: list[Command] = []
        for new, value, ttl_ms in zip(copies.values(), replies[::2], replies[1::2], strict=True):
            if isinstance(value, redis.RedisError) or not value:  # another program's key, or it has expired
                continue
            if kind == "signals":
                writes += [("UNLINK", new), ("HSET", new, *cast("list[bytes]", value))]
                self.moved.signals += 1
            else:
                writes.append(("SET", new, cast("bytes", value)))
                self.moved.gates += kind == "gate"
                self.moved.histories += kind == "history"
            if cast("int", ttl_ms) > 0:
                writes.append(("PEXPIRE", new, cast("int", ttl_ms)))
        self._client.deliver(writes, [write[1] for write in writes])

    def _old_keys(self, kind: Kind) -> Iterator[tuple[str, bytes]]:
        pattern = f"{self._prefix}{'*:' if kind == 'signals' else ''}{{k1.*}}:{kind}"
        for server in self._client.servers():
            for raw in self._client.scan(pattern, server):
                key = raw.decode("utf-8", "replace")
                user = _pseudonym_of(hash_tag(key))
                if user is not None and not self._is_new(user):
                    yield key, user


def _restricts(reply: Reply) -> bool:
    """Return whether a gate has a "no", a pin or a wipe; an unreadable one counts as such."""
    if not isinstance(reply, bytes):
        return reply is not None
    try:
        return restricts(decode_gate(reply))
    except (ValueError, UnicodeDecodeError):
        return True


def restricts(gate: Gate) -> bool:
    """Return whether a gate has a "no", a pin or a wipe."""
    denied = any(consent.state == "denied" for consent in (gate.learn, gate.use, gate.explore))
    return denied or any(pin.value for pin in gate.pins.values()) or bool(gate.wiped_ms or gate.wiped)


def _pseudonym_of(text: str) -> bytes | None:
    found = _PSEUDONYM.fullmatch(text)
    return bytes.fromhex(found[1]) if found else None
