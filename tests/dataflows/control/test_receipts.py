"""Receipts: a published schema, no user, and a commitment that only a holder of id and secret can check."""

import json
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dataflows.control.receipts import (
    SCHEMA_FILE,
    Kind,
    Receipt,
    Remaining,
    Searched,
    Sort,
    commit,
    decode_receipt,
    document,
    encode_receipt,
    is_about,
    main,
    new_number,
)
from tests.support.pages import ROOT

USER = bytes(range(16))
pseudonyms = st.binary(min_size=16, max_size=16)


def make_receipt(user: bytes = USER) -> Receipt:
    remaining = Remaining(what="tombstone: 1", until="time", until_ms=9, why="keeps older events out")
    searched = Searched(
        sort="redis", place="redis", before={"learned": 2}, after={"tombstone": 1}, removed_ms=8, remains=(remaining,)
    )
    return Receipt(
        number=new_number(),
        region="eu",
        facets=None,
        sent_ms=7,
        visible_ms=1.5,
        made_ms=8,
        commitment=commit(user),
        searched=(searched,),
        copies=(Remaining(what="backups", until="unknown", why="unseen"),),
    )


def test_the_published_schema_is_that_of_the_code() -> None:
    """`make schemas` renews it."""
    assert (ROOT / "docs/schema" / SCHEMA_FILE).read_text(encoding="utf-8") == document()


def test_a_receipt_obeys_the_published_schema() -> None:
    """As any reader of receipts checks it."""
    schema = json.loads((ROOT / "docs/schema" / SCHEMA_FILE).read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(json.loads(encode_receipt(make_receipt())), schema)


def test_a_receipt_survives_its_text() -> None:
    """Encoding and decoding."""
    receipt = make_receipt()
    assert decode_receipt(encode_receipt(receipt)) == receipt


@given(user=pseudonyms, other=pseudonyms)
def test_a_commitment_is_about_one_user(user: bytes, other: bytes) -> None:
    """Two receipts of one user share nothing."""
    one, two = make_receipt(user), make_receipt(user)
    assert is_about(one, user)
    assert is_about(one, other) == (user == other)
    assert one.commitment.sha256 != two.commitment.sha256
    assert user.hex().encode() not in encode_receipt(one)


def test_a_receipt_of_another_version_is_none() -> None:
    """A reader of version 1 does not guess."""
    later = msgspec.to_builtins(make_receipt()) | {"receipt": 2}
    with pytest.raises(msgspec.ValidationError):
        decode_receipt(json.dumps(later).encode())


@pytest.mark.parametrize(
    ("sort", "kind", "is_clean"),
    [
        ("redis", "tombstone", True),
        ("redis", "pseudonym", False),
        ("state", "tombstone", True),
        ("state", "pseudonym", True),
        ("state", "learned", False),
        ("cuts", "tombstone", True),
        ("cuts", "learned", False),
        ("look", "tombstone", False),
    ],
)
def test_clean_means_a_tombstone_at_most(sort: Sort, kind: Kind, is_clean: bool) -> None:
    """Its key is also in the indexes of a state folder."""
    assert Searched(sort=sort, place="a", before={}, after={kind: 1}).is_clean == is_clean
    assert Searched(sort=sort, place="a", before={}, after={}).is_clean


def test_main_writes_the_schema(tmp_path: Path) -> None:
    """`python -m dataflows.control.receipts FOLDER`."""
    main([str(tmp_path)])
    assert (tmp_path / SCHEMA_FILE).read_text(encoding="utf-8") == document()
