"""Processes that append lines to an event log, as producers do."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_APPEND = """
import sys
from pathlib import Path
from connectors.files.appending import append_lines
log, lines, most = Path(sys.argv[1]), Path(sys.argv[2]).read_bytes().splitlines(), int(sys.argv[3])
for begin in range(0, len(lines), most):
    append_lines(log, lines[begin : begin + most])
    print(begin + most, flush=True)
"""


@contextmanager
def appending(log: Path, lines: Path, most: int) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a process that appends the lines of a file in batches of `most`, and prints the number after each batch."""
    command = [sys.executable, "-c", _APPEND, str(log), str(lines), str(most)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()
