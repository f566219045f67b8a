"""tacit_service/token_command: a key that the command prints is a key that the service takes."""

from pathlib import Path

import pytest

from tacit_service.access.key_file import read_keys
from tests.support.commands import tacit
from tests.support.service import KEYS, made_key


@pytest.mark.parametrize("days", ["0", "-1", "nan", "inf", "1e300"])
def test_lifetime_without_use_is_refused(days: str, tmp_path: Path) -> None:
    """No key is made that is void at once, or that the file cannot have."""
    done = tacit("token", "assistant", "--keys", KEYS, "--days", days, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "days: must be above 0, and at most 36500" in done.stderr
    assert not (tmp_path / KEYS).exists()


@pytest.mark.parametrize("name", ["two words", "", "é", "a" * 65, "user"])
def test_name_that_the_service_would_refuse_is_refused(name: str, tmp_path: Path) -> None:
    """Such a line would make the whole file unreadable, also for the keys before it."""
    made_key(tmp_path)
    done = tacit("token", name, "--keys", KEYS, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("tacit: name: ")
    assert [caller.name for _, caller in read_keys(tmp_path / KEYS)] == ["assistant"]


def test_file_that_cannot_be_made_is_one_error(tmp_path: Path) -> None:
    """With the path."""
    done = tacit("token", "assistant", "--keys", "nowhere/keys.jsonl", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("tacit: nowhere/keys.jsonl: cannot be written: No such file or directory")
