"""Receipts in a file: found by number or by user, and nothing else passes as one."""

from pathlib import Path

import pytest

from dataflows.control.receipt_store import find_receipt, store_receipt
from dataflows.control.receipts import encode_receipt
from dataflows.settings import Settings, load
from tacit.errors import ConfigurationError
from tests.dataflows.control.test_receipts import make_receipt

ADA, BOB = bytes(16), bytes([1] * 16)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with a file of receipts."""
    return load({"receipts": str(tmp_path / "receipts.jsonl"), "embedded": True})


def test_a_receipt_is_found_by_its_number(settings: Settings) -> None:
    """Among others."""
    receipts = [make_receipt(user) for user in (ADA, BOB, ADA)]
    for receipt in receipts:
        store_receipt(settings, receipt)
    assert [find_receipt(settings, receipt.number, ADA) for receipt in receipts] == receipts


def test_the_newest_receipt_about_a_user_is_found_in_a_file(settings: Settings) -> None:
    """By the commitment: receipts have no user."""
    first, other, newest = (make_receipt(user) for user in (ADA, BOB, ADA))
    for receipt in (first, newest, other):
        store_receipt(settings, receipt)
    assert find_receipt(settings, str(settings.receipts), ADA) == newest


def test_a_file_with_one_receipt_is_that_receipt(settings: Settings, tmp_path: Path) -> None:
    """Also about another user, which the caller then names."""
    (tmp_path / "receipt.json").write_bytes(encode_receipt(receipt := make_receipt(BOB)))
    assert find_receipt(settings, str(tmp_path / "receipt.json"), ADA) == receipt


@pytest.mark.parametrize(
    ("content", "place", "problem"),
    [
        (None, "receipts.jsonl", "cannot be read: No such file"),
        (b"", "receipts.jsonl", "has no receipt about the user"),
        (b'{"receipt":1}\n', "receipts.jsonl", "has a line that is no receipt"),
        (b"", "r-" + "0" * 32, "is not among the receipts"),
    ],
)
def test_a_missing_receipt_is_named(
    settings: Settings, tmp_path: Path, content: bytes | None, place: str, problem: str
) -> None:
    """With what to do."""
    if content is not None:
        (tmp_path / "receipts.jsonl").write_bytes(content)
    with pytest.raises(ConfigurationError, match=problem):
        find_receipt(settings, place if place.startswith("r-") else str(tmp_path / place), ADA)


def test_a_number_needs_receipts() -> None:
    """The setting, or a file."""
    with pytest.raises(ConfigurationError, match="set --receipts, or name the receipt's file"):
        find_receipt(load({"embedded": True}), "r-" + "0" * 32, ADA)


def test_without_receipts_nothing_is_stored(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller still gets the receipt."""
    monkeypatch.chdir(tmp_path)
    store_receipt(load({"embedded": True}), make_receipt())
    assert list(tmp_path.iterdir()) == []
