"""Reads of a file while another thread writes it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread


@contextmanager
def read_repeatedly(path: Path) -> Iterator[set[bytes]]:
    """Read a file again and again in another thread during the block, and collect its contents.

    The file has been read at least once at the end of the block.
    """
    found = {path.read_bytes()}
    ended = Event()

    def read() -> None:
        while not ended.is_set():
            found.add(path.read_bytes())

    reader = Thread(target=read)
    reader.start()
    try:
        yield found
    finally:
        ended.set()
        reader.join()
