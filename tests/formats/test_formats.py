"""State folders of every released format are gone on from, for ever."""

import json
from pathlib import Path
from typing import Any

import pytest

from dataflows.state_folder import FORMAT
from state.user import codec
from tests.formats import archives, expected, unpack
from tests.formats.__main__ import resume
from tests.formats.facts import facts, lasting
from tests.formats.history import PEOPLE

ARCHIVES = [pytest.param(archive, id=archive.name.partition(".")[0]) for archive in archives()]


def _expected(archive: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(expected(archive).read_text())
    return content


def test_todays_format_has_an_archive() -> None:
    """Of the layout that people's state has today: tests/formats/README.md says how one is made."""
    newest = archives()[-1]
    assert newest.name == f"format-{FORMAT}.tar.gz"
    assert _expected(newest)["layout"] == codec.VERSION


@pytest.mark.parametrize("archive", ARCHIVES)
def test_archive_is_small_and_says_all_that_state_can_hold(archive: Path) -> None:
    """Pins, wipes, words on consent, beliefs, changes of taste, windows, and what was said."""
    assert archive.stat().st_size < 100_000
    people = _expected(archive)["saved"]
    assert sorted(people) == sorted(PEOPLE)
    assert set(people["ben"]["pins"]) == {"tone", "length"}
    assert {person["consent"] for person in people.values()} == {"granted", "denied"}
    assert people["dee"]["wiped"] == people["dee"]["forgotten"] > 0
    assert people["eve"]["beliefs"]["changed at"]["length"] > 0
    assert people["ada"]["said"]["length"][:2] == ["concise", "hint"]
    assert people["ada"]["beliefs"]["leans"]["length"] < 0 < people["ada"]["beliefs"]["judged"]
    assert people["ada"]["profile"]["topics"]


@pytest.mark.parametrize("archive", ARCHIVES)
def test_people_of_a_saved_folder_are_found_and_gone_on_from(archive: Path, tmp_path: Path) -> None:
    """As they were; a repeat is known as one, what is too late as that, and what is new comes on top."""
    unpack(archive, tmp_path)
    recorded = _expected(archive)
    assert facts(tmp_path) == recorded["saved"]
    assert resume(tmp_path) == recorded["counts"]
    assert lasting(facts(tmp_path)) == recorded["gone on"]
