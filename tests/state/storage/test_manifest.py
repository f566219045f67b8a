"""Tokens name a checkpoint, and manifests detect any change of its files."""

from pathlib import Path
from tempfile import TemporaryDirectory
from zlib import crc32

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.errors import StateError
from state.storage.manifest import (
    MANIFEST_FILE,
    Manifest,
    ManifestFile,
    Token,
    first_problem,
    manifest_file,
    read_manifest,
)

HEX = st.text("0123456789abcdef", min_size=1, max_size=8)
TOKENS = st.builds(
    Token, st.integers(0, 255), st.integers(1, 256), st.integers(1, 10**9), HEX, st.integers(0, 2**32 - 1)
)
TOKEN = Token(3, 16, 12, "1f3a09bc", 77)
FILES = {"000008.sst": b"users!" * 1000, "CURRENT": b"MANIFEST-000005\n", "000004.log": b""}


def _write_manifest(folder: Path) -> Manifest:
    """Write files, and return their manifest."""
    for name, data in FILES.items():
        (folder / name).write_bytes(data)
    manifest = Manifest(3, 16, 12, "1f3a09bc", 5, 9, {name: manifest_file(folder / name) for name in FILES})
    (folder / MANIFEST_FILE).write_bytes(msgspec.json.encode(manifest))
    return manifest


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    return _write_manifest(tmp_path)


# Tokens


@given(TOKENS)
def test_token_survives_packing(token: Token) -> None:
    """A token with a short name of the execution is complete, too."""
    assert Token.unpack(token.pack()) == token
    assert len(token.pack()) == 29


@given(TOKENS, TOKENS)
def test_names_of_checkpoints_sort_by_number(one: Token, other: Token) -> None:
    """The order of the text is the order of age."""
    if one.number < other.number:
        assert one.name < other.name


@pytest.mark.parametrize("data", [b"", b"TCST\x01" + bytes(24), b"\x80\x05K\x01.", bytes(29), b"tckp\x01" + bytes(24)])
def test_foreign_bytes_are_an_error(data: bytes) -> None:
    """Another program or version may have written the recovery store."""
    with pytest.raises(StateError, match="no checkpoints of this version of Tacit: run the version that wrote it, or"):
        Token.unpack(data)


def test_token_of_a_later_format_is_an_error() -> None:
    """The bytes of a later format have an unknown meaning."""
    packed = TOKEN.pack()
    with pytest.raises(StateError, match="of this version of Tacit"):
        Token.unpack(packed[:4] + b"\x02" + packed[5:])


@pytest.mark.parametrize(
    "damaged", [TOKEN.pack()[:-1], TOKEN.pack() + b"\0", TOKEN.pack().replace(b"1f3", b"\xff\xfe\xfd")]
)
def test_damaged_token_is_an_error(damaged: bytes) -> None:
    """The error names the remedy."""
    with pytest.raises(StateError, match=r"token cannot be read: .*; restore the whole state folder from a backup"):
        Token.unpack(damaged)


# Manifests


@pytest.mark.parametrize("size", [0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 700_000])
def test_checksum_covers_all_bytes_of_a_file(size: int, tmp_path: Path) -> None:
    """The size of the reads has no influence."""
    data = bytes(n % 251 for n in range(size))
    (tmp_path / "file").write_bytes(data)
    assert manifest_file(tmp_path / "file") == ManifestFile(size, crc32(data))


def test_complete_checkpoint_has_no_problem(manifest: Manifest, tmp_path: Path) -> None:
    """The manifest does not list itself."""
    assert first_problem(tmp_path, manifest) is None
    assert read_manifest(tmp_path) == manifest


def test_problem_names_its_file(manifest: Manifest, tmp_path: Path) -> None:
    """Missing files, foreign files, other sizes and other bytes are problems."""
    table = tmp_path / "000008.sst"
    table.write_bytes(FILES["000008.sst"][:-1])
    assert first_problem(tmp_path, manifest) == "000008.sst has 5,999 bytes instead of 6,000"
    table.write_bytes(b"x" + FILES["000008.sst"][1:])
    assert first_problem(tmp_path, manifest) == "000008.sst has other bytes than were written"
    (tmp_path / "000009.sst").write_bytes(b"")
    assert first_problem(tmp_path, manifest) == "000009.sst does not belong there"
    table.unlink()
    assert first_problem(tmp_path, manifest) == "000008.sst is missing"


@given(st.sampled_from(["000008.sst", "CURRENT"]), st.floats(0, 1, exclude_max=True))
def test_any_flipped_bit_is_a_problem(name: str, place: float) -> None:
    """Each bit of each file counts."""
    with TemporaryDirectory() as made:
        folder = Path(made)
        manifest = _write_manifest(folder)
        damaged = bytearray(FILES[name])
        bit = int(place * 8 * len(damaged))
        damaged[bit // 8] ^= 1 << bit % 8
        (folder / name).write_bytes(damaged)
        assert first_problem(folder, manifest) == f"{name} has other bytes than were written"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"shard": "one"}', b"\xff\xfe"])
def test_unreadable_manifest_is_none(content: bytes, manifest: Manifest, tmp_path: Path) -> None:
    """The checkpoint is being made or deleted, or is damaged."""
    (tmp_path / MANIFEST_FILE).write_bytes(content)
    assert read_manifest(tmp_path) is None
    (tmp_path / MANIFEST_FILE).unlink()
    assert read_manifest(tmp_path) is None
