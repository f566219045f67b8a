"""Secrets in files: the text without its line end, and errors without the text."""

from pathlib import Path

import pytest

from connectors.secret_files import read_secret, secret_variable
from tacit.errors import ConfigurationError


@pytest.mark.parametrize("ending", [b"", b"\n", b"\r\n"])
def test_line_end_is_no_part_of_a_secret(tmp_path: Path, ending: bytes) -> None:
    """Editors and `echo` add one; spaces are part of the secret."""
    path = tmp_path / "secret"
    path.write_bytes(b" p@ss \xc3\xb6 " + ending)
    assert read_secret(str(path), "TACIT_SECRET_FILE") == " p@ss ö "


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "cannot be read: No such file or directory"),
        (b"", "is empty; write the secret into it"),
        (b" \n", "is empty"),
        (b"hidden\nlines\n", "has several lines"),
        (b"hidden\n\n", "has several lines"),
        (b"\xff\xfehidden", "cannot be read: it is not UTF-8"),
    ],
)
def test_file_without_one_secret_is_an_error(tmp_path: Path, content: bytes | None, expected: str) -> None:
    """The error names the variable and the path."""
    path = tmp_path / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=f"^TACIT_X_FILE: {path} {expected}") as caught:
        read_secret(str(path), "TACIT_X_FILE")
    assert "hidden" not in str(caught.value)


def test_folder_is_no_secret(tmp_path: Path) -> None:
    """An orchestrator mounts a folder where the file is missing."""
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        read_secret(str(tmp_path), "TACIT_X_FILE")


def test_variable_has_the_secret_or_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not both: it would not be clear which one counts."""
    assert secret_variable("TACIT_NEW_SECRET") == ""
    monkeypatch.setenv("TACIT_NEW_SECRET", "direct")
    assert secret_variable("TACIT_NEW_SECRET") == "direct"
    (tmp_path / "secret").write_text("in a file\n")
    monkeypatch.setenv("TACIT_NEW_SECRET_FILE", str(tmp_path / "secret"))
    with pytest.raises(ConfigurationError, match="TACIT_NEW_SECRET: and TACIT_NEW_SECRET_FILE are both set"):
        secret_variable("TACIT_NEW_SECRET")
    monkeypatch.setenv("TACIT_NEW_SECRET", "")
    assert secret_variable("TACIT_NEW_SECRET") == "in a file"
