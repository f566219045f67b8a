"""Archives of state folders, one of each released format, each with its expected contents as JSON.

README.md describes how to create an archive. No archive ever changes: test_formats.py resumes from all of them.
"""

import tarfile
from pathlib import Path

ARCHIVES = Path(__file__).parent
HISTORY = "events.jsonl"
"""Member of an archive: input of the saved run."""
MORE = "more.jsonl"
"""Member of an archive: later events."""
CATALOGUE = "catalogue.toml"
"""Member of an archive: catalogue of the saved run."""
STATE = "state"
"""Member of an archive: state folder."""
SHARDS = 2
FLAGS = (
    HISTORY,
    "--catalogue",
    CATALOGUE,
    "--state",
    STATE,
    "--shards",
    SHARDS,
    "--namespace",
    "formats",
    "--ttl",
    "none",
)
"""Arguments of all runs on these folders: a folder belongs to its source, shards, namespace and secret."""


def archives() -> list[Path]:
    """Return the archives, oldest format first."""
    return sorted(ARCHIVES.glob("format-*.tar.gz"))


def expected(archive: Path) -> Path:
    """Return the JSON file with the expected contents of an archive."""
    return archive.with_name(archive.name.replace(".tar.gz", ".json"))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive, and append the later events to its input."""
    with tarfile.open(archive) as files:
        # The filter of extractall came with Python 3.11.4, and Python 3.12 warns without one.
        files.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        files.extractall(folder)  # noqa: S202  # an archive of this project
    append_later_events(folder)


def append_later_events(folder: Path) -> None:
    """Append the later events to the input."""
    with (folder / HISTORY).open("ab") as history:
        history.write((folder / MORE).read_bytes())
