"""Rotation of the secret of a state folder and of its region's Redis.

    1  rotation.json: no run starts from here on
    2  Redis: copies of gates and signals under the new pseudonyms
    3  state folder: checkpoints of all users under the new pseudonyms; Bytewax commits their tokens at once
    4  state folder: deletion of the old checkpoints
    5  Redis: deletion of the old keys, but for those that restrict a user of unknown id; fingerprint of the new secret
    6  tacit.json: fingerprint of the new secret; deletion of rotation.json

A rotation that was interrupted begins again: each step repeats without effect, and the tokens in the recovery store
decide whether step 3 is done. Old and new keys exist side by side from step 2 to step 5, so a reader with both secrets
finds every "no" at every moment.
"""

import secrets
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass, field

import msgspec
from msgspec.structs import replace

from connectors.redis.client import RedisClient
from connectors.redis.key_move import KeyMove, MovedKeys
from connectors.redis.region_secret import RegionSecret
from dataflows.inspection import Inspected
from dataflows.rotation.tokens import read_tokens, replace_tokens
from dataflows.state_folder import RECOVERY, ROTATION, SHARDS, exclusive, write_identity
from state.durable import read_document, sync, write_document
from state.errors import StateError
from state.storage.manifest import Token
from state.storage.rewriting import Rewriting, committed_users, delete_others
from state.user import codec
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import fingerprint, pseudonym


class Marker(msgspec.Struct, frozen=True):
    """Contents of rotation.json."""

    old: str
    """Fingerprint of the old secret."""
    new: str
    execution: str
    """Name of the new checkpoints."""


@dataclass(slots=True)
class Rotated:
    """Result of a rotation; counts are of users."""

    moved: int = 0
    dropped: int = 0
    """Users whose id is not known, without a "no", a pin and a wipe: their state is deleted."""
    kept: int = 0
    """Users whose id is not known, with one: their consent, pins and wipes stay under the old pseudonym."""
    redis: MovedKeys = field(default_factory=MovedKeys)

    def as_dict(self) -> dict[str, object]:
        """Return the summary of `--json`."""
        counts = {"moved": self.moved, "dropped": self.dropped, "kept": self.kept}
        return {"users": counts, "redis": self.redis.as_dict()}


class NewNames:
    """New pseudonyms of known user ids."""

    def __init__(self, inspected: Inspected, user_ids: Iterable[str], old: bytes, new: bytes) -> None:
        comparison = inspected.catalogue.identity
        self._names: dict[bytes, bytes] = {}
        for user_id in user_ids:
            self._names[pseudonym(user_id, old, comparison)] = pseudonym(user_id, new, comparison)
        self._new = frozenset(self._names.values())

    def __len__(self) -> int:
        return len(self._names)

    def of(self, user: bytes) -> bytes | None:
        """Return the new pseudonym of an old one; None if the id is not known."""
        return self._names.get(user)

    def is_new(self, user: bytes) -> bool:
        """Return whether a pseudonym is one of the new ones."""
        return user in self._new


def rotate(
    inspected: Inspected, url: str, user_ids: Iterable[str], old: bytes, new: bytes, *, keeps_unknown: bool = False
) -> Rotated:
    """Move a state folder and its region's Redis from one secret to another.

    Args:
        inspected: the state folder.
        url: Redis, as a user with the writer's rights and the right to SCAN.
        user_ids: ids of the users, with repeats; users with other ids lose their state and signals.
        old: secret of the folder.
        new: another secret.
        keeps_unknown: keeps the "no", the pins and the wipes of users of unknown id under the old pseudonym;
            otherwise such users are an error, before any change.

    Raises:
        StateError: a run uses the folder, the folder has another secret, or is damaged.
        SinkError: Redis fails; repeat the rotation.
    """
    if old == new:
        raise StateError("the new secret equals the old one; make one by openssl rand -hex 32")
    with exclusive(inspected.path), closing(RedisClient(url)) as client:
        names = NewNames(inspected, user_ids, old, new)
        if not keeps_unknown and not (inspected.path / ROTATION).exists():
            _require_known(inspected, old, names)
        marker = _begin(inspected, old, Marker(fingerprint(old), fingerprint(new), secrets.token_hex(4)))
        done = Rotated()
        move = KeyMove(client, inspected.identity.region, names.of, names.is_new)
        move.copy()
        _move_state(inspected, marker, names, done)
        move.delete()
        done.redis = move.moved
        RegionSecret(client, RegionKeys(inspected.identity.region)).replace(marker.new)
        write_identity(inspected.path, replace(inspected.identity, secret=marker.new))
        (inspected.path / ROTATION).unlink()
        sync(inspected.path)
        return done


def _begin(inspected: Inspected, old: bytes, marker: Marker) -> Marker:
    """Return the marker of the rotation that has begun, now or earlier."""
    path = inspected.path / ROTATION
    begun = read_document(path, Marker, "restore the folder from a backup")
    if begun is None:
        if inspected.identity.secret == marker.new:
            raise StateError(f"the state folder {inspected.path} has the new secret already: nothing was changed")
        inspected.require_secret(old)
        write_document(path, marker)
        return marker
    if (begun.old, begun.new) != (marker.old, marker.new):
        raise StateError(f"the state folder {inspected.path} is between two other secrets: give those two again")
    return begun


def _require_known(inspected: Inspected, old: bytes, names: NewNames) -> None:
    inspected.require_secret(old)
    tokens = read_tokens(inspected.path / RECOVERY)
    users = committed_users(inspected.path / SHARDS, tokens)
    unknown = (codec.unpack(packed, inspected.catalogue) for user, packed in users if names.of(user) is None)
    if count := sum(state.retire(wipes_before_ms=1) for state in unknown):
        raise StateError(
            f'{count:,} users of {inspected.path} with a "no", a pin or a wipe have none of the given ids: give '
            "more ids, or keep these users under the old pseudonym by --keep-unknown; nothing was changed"
        )


def _move_state(inspected: Inspected, marker: Marker, names: NewNames, done: Rotated) -> None:
    recovery, folder = inspected.path / RECOVERY, inspected.path / SHARDS
    tokens = read_tokens(recovery)
    if any(token.execution == marker.execution for token in tokens.values()):
        delete_others(folder, tokens)
        return
    with Rewriting(folder, inspected.identity.shards, marker.execution) as rewriting:
        for user, packed in committed_users(folder, tokens):
            _move_user(inspected, user, packed, names, rewriting, done)
        new_tokens = rewriting.finish()
    replace_tokens(recovery, new_tokens)
    delete_others(folder, {shard: Token.unpack(packed) for shard, packed in new_tokens.items()})


def _move_user(
    inspected: Inspected, user: bytes, packed: bytes, names: NewNames, rewriting: Rewriting, done: Rotated
) -> None:
    name = names.of(user)
    if name is not None:
        done.moved += 1
        rewriting.write(name, packed)
        return
    state = codec.unpack(packed, inspected.catalogue)
    if state.retire(wipes_before_ms=1):
        done.kept += 1
        rewriting.write(user, codec.pack(state))
    else:
        done.dropped += 1
