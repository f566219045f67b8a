"""State folders as each released format wrote them: an archive of one each, and beside it what is in it, as JSON.

README.md says how one is made. None is ever changed: tests/formats/test_formats.py resumes from all of them.
"""

import tarfile
from pathlib import Path

ARCHIVES = Path(__file__).parent
HISTORY = "events.jsonl"
"""In an archive: what the saved run read."""
MORE = "more.jsonl"
"""In an archive: what came afterwards."""
CATALOGUE = "catalogue.toml"
"""In an archive: the catalogue of then."""
STATE = "state"
"""In an archive: the state folder."""
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
"""What all runs on these folders are given: a folder belongs to its source, shards, namespace and secret."""


def archives() -> list[Path]:
    """Return the archives, oldest format first."""
    return sorted(ARCHIVES.glob("format-*.tar.gz"))


def expected(archive: Path) -> Path:
    """Return the JSON that says what is in an archive."""
    return archive.with_name(archive.name.replace(".tar.gz", ".json"))


def unpack(archive: Path, folder: Path) -> None:
    """Unpack an archive, and let the source have gone on since."""
    with tarfile.open(archive) as files:
        # The filter of extractall came with Python 3.11.4, and Python 3.12 warns without one.
        files.extraction_filter = getattr(tarfile, "data_filter", lambda member, _: member)
        files.extractall(folder)  # noqa: S202  # an archive of this project
    go_on(folder)


def go_on(folder: Path) -> None:
    """Append to the history what came afterwards."""
    with (folder / HISTORY).open("ab") as history:
        history.write((folder / MORE).read_bytes())
