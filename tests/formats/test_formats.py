"""Runs resume from state folders of every released format."""

import json
from pathlib import Path
from typing import Any

import pytest

from dataflows.state_folder import FORMAT
from state.row.layout import VERSION
from tests.formats import archives, expected, unpack
from tests.formats.__main__ import resume
from tests.formats.facts import EMITTED, EVIDENCE, FEEDBACK_COUNT, RESUMED, facts, lasting
from tests.formats.history import USERS

ARCHIVES = [pytest.param(archive, id=archive.name.partition(".")[0]) for archive in archives()]


def _expected(archive: Path) -> dict[str, Any]:
    """Return the recorded facts, without evidence by facet and changes of taste: layouts from 5 on have neither."""
    content: dict[str, Any] = json.loads(expected(archive).read_text())
    for user in (*content["saved"].values(), *content[RESUMED].values()):
        for name in ("changed at", "evidence"):
            user.get("beliefs", {}).pop(name, None)
    return content


def test_current_format_has_an_archive() -> None:
    """The archive has the current layout of user state; tests/formats/README.md describes its creation."""
    newest = archives()[-1]
    assert newest.name == f"format-{FORMAT}.tar.gz"
    assert _expected(newest)["layout"] == VERSION


@pytest.mark.parametrize("archive", ARCHIVES)
def test_archive_is_small_and_covers_all_parts_of_state(archive: Path) -> None:
    """Pins, wipes, consent, beliefs, windows, emitted signals and, since the layout 7, the history."""
    assert archive.stat().st_size < 100_000
    users = _expected(archive)["saved"]
    assert sorted(users) == sorted(USERS)
    assert set(users["ben"]["pins"]) == {"tone", "length"}
    assert {user["consent"] for user in users.values()} == {"granted", "denied"}
    assert users["dee"]["wiped"] == users["dee"]["forgotten"] > 0
    assert users["ada"][EMITTED]["length"][:2] in (["concise", "hint"], ["concise", "apply"])
    assert users["ada"]["beliefs"]["leans"]["length"] < 0 < users["ada"]["beliefs"][FEEDBACK_COUNT]
    assert users["ada"]["profile"]["topics"]
    assert ("history" in users["ada"]) == (_expected(archive)["layout"] >= 7)


@pytest.mark.parametrize("archive", ARCHIVES)
def test_run_resumes_from_a_saved_folder(archive: Path, tmp_path: Path) -> None:
    """Facts are unchanged; repeats and late events are recognised; new events are added."""
    unpack(archive, tmp_path)
    recorded = _expected(archive)
    found = facts(tmp_path)
    if recorded["layout"] < 5:
        for user in found.values():
            user.get("beliefs", {}).pop(EVIDENCE, None)
    assert found == recorded["saved"]
    assert resume(tmp_path) == recorded["counts"]
    assert lasting(facts(tmp_path)) == recorded[RESUMED]
