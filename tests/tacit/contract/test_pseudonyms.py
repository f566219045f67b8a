"""client/tacit/contract/pseudonyms."""

from hypothesis import given
from hypothesis import strategies as st

from tacit.contract.pseudonyms import PSEUDONYM_BYTES, SECRET_BYTES, pseudonym, pseudonym_text

SECRET = b"0123456789abcdef"


def test_pseudonyms_are_pinned() -> None:
    """A pseudonym never changes: stored keys depend on it."""
    assert pseudonym_text(pseudonym("ada", SECRET)) == "k1.19615f50f43e3144eda7c8637352faa3"
    assert pseudonym_text(pseudonym("Ünï-😀", SECRET)) == "k1.8e936e809497d829c590f6d550d8783d"


def test_another_secret_is_another_pseudonym() -> None:
    """Without the secret a key does not identify a user."""
    assert pseudonym("ada", SECRET) != pseudonym("ada", SECRET[::-1])


@given(st.text(min_size=1, max_size=128), st.binary(min_size=SECRET_BYTES[0], max_size=SECRET_BYTES[-1]))
def test_any_user_id_has_a_pseudonym(user_id: str, secret: bytes) -> None:
    """Lone surrogates and all secrets of allowed length included."""
    user = pseudonym(user_id, secret)
    assert len(user) == PSEUDONYM_BYTES
    assert pseudonym_text(user).removeprefix("k1.") == user.hex()


def test_pseudonym_does_not_hold_the_user_id() -> None:
    """Neither as text nor as hex."""
    assert b"ada".hex() not in pseudonym_text(pseudonym("ada", SECRET))
