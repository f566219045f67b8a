"""operators/users: pseudonym and shard of a user id."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from operators.users import Users
from state.storage.shards import CACHED_USERS, shard_of
from tacit.contract.pseudonyms import pseudonym
from tests.support.parser import SECRET, SHARDS


@given(st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=128))
def test_user_has_the_pseudonym_of_the_id(user_id: str) -> None:
    """The second look-up is answered by the cache."""
    users = Users(SECRET, SHARDS)
    user = pseudonym(user_id, SECRET)
    assert users.find(user_id) == users.find(user_id) == (user, shard_of(user, SHARDS))


def test_ids_are_compared_by_the_rule_of_the_catalogue() -> None:
    """Each form of an id has an entry of its own in the cache."""
    exact, folded = Users(SECRET, SHARDS), Users(SECRET, SHARDS, "casefold")
    assert exact.find("Ada") != exact.find("ada")
    assert folded.find("Ada ") == folded.find("ada")


def test_flood_of_ids_does_not_fill_the_memory() -> None:
    """The ids of the last users stay in memory."""
    users = Users(SECRET, SHARDS)
    for number in range(CACHED_USERS + 100):
        users.find(f"user-{number}")
    assert users.find.cache_info().currsize == CACHED_USERS
    assert users.find("user-0").pseudonym == pseudonym("user-0", SECRET)


@pytest.mark.parametrize("user_id", ["", "a\n", "u" * 129])
def test_invalid_id_has_no_user(user_id: str) -> None:
    """The error is not cached."""
    users = Users(SECRET, SHARDS)
    for _ in range(2):
        with pytest.raises(msgspec.ValidationError):
            users.find(user_id)
    assert users.find.cache_info().currsize == 0
