"""The page on security names tests that exist for each of the ten points."""

import re
from pathlib import Path

TRIAL = Path(__file__).parent
PAGE = TRIAL.parents[2] / "docs" / "security.md"
TEST = re.compile(r"^def (test_\w+)", re.MULTILINE)


def names_in(folder: Path) -> set[str]:
    return {name for path in folder.rglob("test_*.py") for name in TEST.findall(path.read_text(encoding="utf-8"))}


def test_each_named_test_exists() -> None:
    """Each point has at least one."""
    sections = re.split(r"^#+ ", PAGE.read_text(encoding="utf-8"), flags=re.MULTILINE)
    points = [section for section in sections if section.startswith("API")]
    assert len(points) == 10
    named = [set(re.findall(r"^- `(test_\w+)`$", point, re.MULTILINE)) for point in points]
    assert all(named)
    assert set().union(*named) <= names_in(TRIAL)
