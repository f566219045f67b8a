"""Lua scripts in pipelines."""

from hashlib import sha1
from pathlib import Path

from tacit.reader.round_trips import Command


class Script:
    """Lua script, sent as a whole at its first use in a pipeline, and by its hash after that.

    A pipeline then takes one round trip, even on a server that has just started.

    Args:
        files: parts of the script, in order.
    """

    def __init__(self, *files: Path) -> None:
        body = b"\n".join(file.read_bytes() for file in files)
        self._whole = (b"EVAL", body)
        self.by_hash = (b"EVALSHA", sha1(body, usedforsecurity=False).hexdigest().encode())
        """First members of a command that calls the script."""

    def put_into_first_use(self, commands: list[Command]) -> None:
        """Replace the hash by the script in the first command that calls the script."""
        for index, command in enumerate(commands):
            if command[:2] == self.by_hash:
                commands[index] = (*self._whole, *command[2:])
                return
