"""Byte search in files: each form of an id, compressed files, borders of chunks, and the entries of tables."""

import gzip
import json
import re
from pathlib import Path
from unicodedata import normalize

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from connectors.traces import Needles, find_traces, needles_of
from connectors.traces.needles import pseudonym_needles
from state.storage.table_entry import LEARNED, TOMBSTONE
from tacit.contract.pseudonyms import pseudonym
from tests.support.shard_stores import USERS, checkpoints, open_stores, touch

SECRET = b"0123456789abcdef"
USER_ID = "Zoë Müller/7"
NEEDLES = needles_of(USER_ID, SECRET)
CHUNK = 1 << 20


def kinds(path: Path, needles: Needles = NEEDLES) -> list[str]:
    return [trace.kind for trace in find_traces(path, needles)]


FORMS = {
    "UTF-8": USER_ID.encode(),
    "NFD": normalize("NFD", USER_ID).encode(),
    "lower case": USER_ID.lower().encode(),
    "escaped JSON": json.dumps({"user_id": USER_ID}).encode(),
    "escaped JSON with slashes": json.dumps(USER_ID).replace("/", "\\/").encode(),
    "percent-encoded": b"/u/Zo%C3%AB%20M%C3%BCller/7",
}


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_each_form_of_an_id_is_found(tmp_path: Path, form: bytes) -> None:
    (tmp_path / "log").write_bytes(b"before " + form + b" behind")
    assert kinds(tmp_path) == ["id"]


@pytest.mark.parametrize("form", [NEEDLES.user, NEEDLES.user.hex().encode(), NEEDLES.user.hex().upper().encode()])
def test_each_form_of_a_pseudonym_is_found(tmp_path: Path, form: bytes) -> None:
    (tmp_path / "log").write_bytes(b"before " + form)
    assert kinds(tmp_path) == ["pseudonym"]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_text_of_a_compressed_file_is_searched(tmp_path: Path, compress: object) -> None:
    assert callable(compress)
    (tmp_path / f"log{'.gz' if compress is gzip.compress else '.zst'}").write_bytes(compress(FORMS["UTF-8"] * 2))
    assert kinds(tmp_path) == ["id", "id"]


def test_truncated_file_is_reported(tmp_path: Path) -> None:
    """A search that cannot read a file proves nothing about it."""
    (tmp_path / "log.gz").write_bytes(gzip.compress(b"nothing here")[:-3])
    assert kinds(tmp_path) == ["unreadable"]


@given(st.integers(-40, 40), st.integers(0, 2))
def test_needle_across_chunks_is_found_once(tmp_path_factory: pytest.TempPathFactory, shift: int, chunks: int) -> None:
    file = tmp_path_factory.mktemp("search") / "log"
    at = max(0, chunks * CHUNK + shift)
    file.write_bytes(b" " * at + FORMS["UTF-8"] + b" " * 50)
    assert [(trace.offset, trace.kind) for trace in find_traces(file, NEEDLES)] == [(at, "id")]


def test_short_id_is_found_as_a_whole_string_only(tmp_path: Path) -> None:
    (tmp_path / "log").write_bytes(b'{"user_id":"17","at":1700000017}')
    assert [trace.offset for trace in find_traces(tmp_path, needles_of("17", SECRET))] == [11]


def test_trace_never_shows_the_id(tmp_path: Path) -> None:
    """Neither does the text form of needles."""
    (tmp_path / "of ada.lovelace").write_bytes(b"")
    [trace] = find_traces(tmp_path, needles := needles_of("ada.lovelace", SECRET))
    assert trace.kind == "id"
    assert not re.search(r"\bada\b", f"{trace} {needles!r}")


def test_entry_of_a_table_has_the_kind_of_its_content(tmp_path: Path) -> None:
    """The state of a deleted user stays in a table, and no read shows it."""
    users = [pseudonym(f"user-{number}", SECRET) for number in range(300)]
    with open_stores(tmp_path, cached=1000) as stores:
        store = stores.create(users[0])
        touch(store, users)
        store.snapshot()
        for user in users[::37]:
            assert set(kinds(tmp_path, pseudonym_needles(user))) - {"pseudonym"} == {LEARNED}
            assert set(kinds(tmp_path, pseudonym_needles(user[::-1]))) == set()
    assert checkpoints(tmp_path)


def test_deletion_leaves_the_state_in_the_older_table(tmp_path: Path) -> None:
    with open_stores(tmp_path, cached=1) as stores:
        store = stores.create(USERS[0])
        touch(store, USERS[:3])
        store.snapshot()
        store.reclaim(1 << 60, 1 << 60, 10)
        store.snapshot()
        assert store.get(USERS[0]) is None
        assert set(kinds(tmp_path, pseudonym_needles(USERS[0]))) - {"pseudonym"} == {LEARNED, TOMBSTONE}
