"""Requirements that a lock file pins."""

from pathlib import Path

from packaging.requirements import Requirement

PROJECT = Path(__file__).resolve().parents[2]


def locked(name: str) -> list[Requirement]:
    """Return the pinned requirements of a lock file in the project's folder."""
    return [Requirement(line.rstrip(" \\")) for line in (PROJECT / name).read_text().splitlines() if line[:1].isalnum()]
