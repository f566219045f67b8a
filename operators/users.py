"""Users of records: user id → pseudonym and shard, with a bounded cache."""

from functools import lru_cache
from typing import NamedTuple

import msgspec

from state.storage.shards import CACHED_USERS, shard_of
from tacit.contract.events import UserId
from tacit.contract.pseudonyms import IdComparison, pseudonym


class User(NamedTuple):
    """Pseudonym and shard of a user."""

    pseudonym: bytes
    shard: int


class Users:
    """Users by their ids. The raw ids of the last `CACHED_USERS` users stay in memory, and only there."""

    def __init__(self, secret: bytes, shards: int, identity: IdComparison = "exact") -> None:
        self._secret = secret
        self._shards = shards
        self._identity: IdComparison = identity
        self.find = lru_cache(CACHED_USERS)(self._find)
        """Return the user of a user id.

        Raises:
            msgspec.ValidationError: the id breaks the contract; such an id is not cached.
        """

    def _find(self, user_id: str) -> User:
        msgspec.convert(user_id, UserId)
        user = pseudonym(user_id, self._secret, self._identity)
        return User(user, shard_of(user, self._shards))
