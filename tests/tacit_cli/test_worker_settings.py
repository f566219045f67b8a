"""tacit_cli/worker_settings: one Redis for a command, named or embedded."""

from pathlib import Path
from typing import Any

import pytest

from tacit.errors import ConfigurationError
from tacit_cli.invocation import Invocation
from tacit_cli.output import Output
from tacit_cli.worker_settings import worker_settings
from tests.support.commands import tacit

URL = "redis://localhost:9"
BOTH = "embedded: starts a Redis in place of --redis; leave one of the two out"


@pytest.mark.parametrize("command", [("replay", "events.jsonl"), ("run", "kafka://localhost:9/events"), ("check",)])
def test_named_and_embedded_redis_together_are_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    """Neither is ignored in silence."""
    (tmp_path / "events.jsonl").write_bytes(b"")
    done = tacit(*command, "--embedded", "--redis", URL, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (2, f"tacit: {BOTH}\n")


@pytest.mark.parametrize(
    ("flags", "file", "is_refused"),
    [
        ({"redis": URL}, "embedded = true", True),
        ({}, f'embedded = true\nredis = "{URL}"', True),
        ({"embedded": True}, f'redis = "{URL}"', False),
        ({"embedded": True}, "", False),
    ],
)
def test_flag_of_an_embedded_redis_prevails_over_the_file(
    flags: dict[str, Any], file: str, is_refused: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Flags go over variables, and variables over the file."""
    monkeypatch.delenv("TACIT_REDIS", raising=False)
    (tmp_path / "tacit.toml").write_text(file)
    invocation = Invocation(flags, tmp_path / "tacit.toml", Output())
    if is_refused:
        with pytest.raises(ConfigurationError, match=BOTH), worker_settings(invocation):
            pass
        return
    with worker_settings(invocation) as settings:
        assert settings.redis.startswith("unix://")
