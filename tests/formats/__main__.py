"""Make the archive of today's format: `python -m tests.formats`. One that is there is left as it is."""

import shutil
import sys
import tarfile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from dataflows.state_folder import FORMAT
from state.catalogue.numbered import NumberedCatalogue
from state.user import codec
from tacit.contract.catalogue import SHIPPED
from tests.formats import ARCHIVES, CATALOGUE, FLAGS, HISTORY, MORE, expected, go_on
from tests.formats.facts import facts, lasting
from tests.formats.history import after, before
from tests.support.replays import redis_of_its_own, replay, write_lines

_COUNTS = ("read", "accepted", "duplicate", "unconsented", "before_wipe", "rejected", "users")


def main() -> None:
    """Save a folder, pack it, go on from it, and write down what was there before and after."""
    archive = ARCHIVES / f"format-{FORMAT}.tar.gz"
    if archive.exists():
        sys.exit(f"{archive} is there: a released format is never made again; delete it if it was never released")
    with TemporaryDirectory() as made:
        folder = Path(made)
        _save(folder)
        _pack(folder, archive)
        content = {"layout": codec.VERSION, "saved": facts(folder)}
        go_on(folder)
        content["counts"] = resume(folder)
        content["gone on"] = lasting(facts(folder))
    expected(archive).write_bytes(msgspec.json.format(msgspec.json.encode(content)) + b"\n")


def resume(folder: Path) -> dict[str, Any]:
    """Go on from an unpacked archive, and return what became of the events that came afterwards."""
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
