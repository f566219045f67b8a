"""connectors/redis/seen_users: a set of users in little memory."""

import tracemalloc
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from connectors.redis.seen_users import SeenUsers
from tacit.contract.pseudonyms import pseudonym_text


@given(st.lists(st.one_of(st.binary(min_size=16, max_size=16), st.integers(0, 9).map(lambda n: n.to_bytes(16)))))
def test_user_is_new_once(users: list[bytes]) -> None:
    """The answers are those of a set."""
    seen, expected = SeenUsers(), set[bytes]()
    for user in users:
        assert seen.add(pseudonym_text(user)) == (user not in expected)
        expected.add(user)
    assert len(seen) == len(expected)


def test_many_users_take_little_memory() -> None:
    """At most 40 bytes per user, while the table doubles, too."""
    random = Random(7)
    tracemalloc.start()
    seen = SeenUsers()
    for _ in range(100_000):
        seen.add(pseudonym_text(random.randbytes(16)))
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(seen) == 100_000
    assert most < 100_000 * 40
