"""Creation of the archive of the current format: `python -m tests.formats`; an existing archive is not replaced."""

import shutil
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from dataflows.state_folder import FORMAT
from state.catalogue.numbered import NumberedCatalogue
from state.row.layout import VERSION
from tacit.contract.catalogue import SHIPPED
from tests.formats import ARCHIVES, CATALOGUE, FLAGS, HISTORY, MORE, append_later_events, expected
from tests.formats.facts import RESUMED, facts, lasting
from tests.formats.history import after, before
from tests.support.replays import redis_of_its_own, replay, write_lines

_COUNTS = ("read", "accepted", "duplicate", "unconsented", "before_wipe", "rejected", "users")


def main() -> None:
    """Save and pack a state folder, resume from it, and write the expected contents before and after."""
    archive = ARCHIVES / f"format-{FORMAT}.tar.gz"
    if archive.exists():
        sys.exit(f"{archive} exists: an archive of a released format never changes; delete one that was not released")
    with TemporaryDirectory() as made:
        folder = Path(made)
        _save(folder)
        _pack(folder, archive)
        content = {"layout": VERSION, "saved": facts(folder)}
        append_later_events(folder)
        content["counts"] = resume(folder)
        content[RESUMED] = lasting(facts(folder))
    expected(archive).write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")


def resume(folder: Path) -> dict[str, Any]:
    """Resume from an unpacked archive, and return the counts of outcomes of the later events."""
    with redis_of_its_own() as (url, _):
        summary = replay(url, *FLAGS, cwd=folder)
    summary["rejected"] = {reason: count for reason, count in summary["rejected"].items() if count}
    return {name: summary[name] for name in _COUNTS}


def _save(folder: Path) -> None:
    catalogue = NumberedCatalogue.load()
    saved = before(catalogue)
    shutil.copyfile(SHIPPED, folder / CATALOGUE)
    write_lines(folder / HISTORY, saved)
    write_lines(folder / MORE, after(catalogue, saved))
    resume(folder)


def _pack(folder: Path, archive: Path) -> None:
    with tarfile.open(archive, "w:gz", compresslevel=9) as packed:
        for path in sorted(folder.iterdir()):
            packed.add(path, path.name, filter=_anonymous)


def _anonymous(entry: tarfile.TarInfo) -> tarfile.TarInfo:
    entry.uid = entry.gid = entry.mtime = 0
    entry.uname = entry.gname = ""
    return entry


if __name__ == "__main__":
    main()
