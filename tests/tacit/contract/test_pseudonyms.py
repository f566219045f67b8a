"""client/tacit/contract/pseudonyms."""

from typing import Literal, get_args
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tacit.contract.pseudonyms import PSEUDONYM_BYTES, SECRET_BYTES, folded, pseudonym, pseudonym_text

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


# Comparison of user ids

ids = st.text(max_size=20) | st.text(alphabet="aAß\u1e9eİıſKéÉ\u0301\u0307\u0345ᾳΐ \u00a0\t\ud800", max_size=8)
"""Any text, and characters with special rules for case or composition."""
forms = st.sampled_from(get_args(Literal["NFC", "NFD"]))


@given(ids)
def test_exact_ids_are_compared_by_bytes(user_id: str) -> None:
    """The default: another Unicode form or case is another user."""
    spellings = {user_id, user_id.upper(), f" {user_id}", *[normalize(form, user_id) for form in ("NFC", "NFD")]}
    assert len({pseudonym(spelling, SECRET) for spelling in spellings}) == len(spellings)


@given(ids)
def test_folding_takes_no_further_effect_the_second_time(user_id: str) -> None:
    """The result is trimmed, in NFC, and has no other case."""
    once = folded(user_id)
    assert folded(once) == once
    assert once == normalize("NFC", once)


@given(ids, forms, st.sampled_from(["", " ", "\t", "\u00a0", "\u3000"]))
def test_folded_ids_of_any_form_and_case_are_one_user(user_id: str, form: Literal["NFC", "NFD"], blank: str) -> None:
    """A mark that folds to a letter must fold in its canonical place, so the other case is made of decomposed text."""
    other_case = normalize("NFD", user_id).casefold()
    spellings = (normalize(form, user_id), other_case, f"{blank}{user_id}{blank}")
    assert {pseudonym(spelling, SECRET, "casefold") for spelling in spellings} == {
        pseudonym(user_id, SECRET, "casefold")
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("ada@example.org", " ADA@Example.org\n"),
        ("renée", "RENE\u0301E"),
        ("straße", "STRASSE"),
        ("ὈΔΥΣΣΕΎΣ", "ὀδυσσεύς"),
    ],
)
def test_folded_ids_by_example(one: str, other: str) -> None:
    assert pseudonym(one, SECRET) != pseudonym(other, SECRET)
    assert pseudonym(one, SECRET, "casefold") == pseudonym(other, SECRET, "casefold")


@pytest.mark.parametrize("other", ["ada\u200b", "a da", "аda", "ad", "ada1"])
def test_folding_joins_no_other_ids(other: str) -> None:
    """Zero-width characters and letters of another script stay different."""
    assert pseudonym("ada", SECRET, "casefold") != pseudonym(other, SECRET, "casefold")
