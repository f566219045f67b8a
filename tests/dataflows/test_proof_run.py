"""Reports of proof of whole runs: with each `--population`, across restarts, and in the form that operators read."""

import json
from collections.abc import Iterator
from pathlib import Path
from random import Random
from typing import Any

import pytest

from state.learning.proof_report import ProofReport, decode_report
from tacit.contract.catalogue import SHIPPED
from tacit.contract.keys import RegionKeys
from tests.support.commands import everything_in, tacit
from tests.support.logged_choices import with_choice
from tests.support.replays import left_by, redis_of_its_own, replay, write_history, write_lines

PROOF = RegionKeys("eu").within("live").proof


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a history in two files, and a catalogue with a holdout."""
    found, random = tmp_path_factory.mktemp("proof"), Random(4)
    write_history(found / "plain.jsonl", users=200, turns=3_000)
    lines = [with_choice(line, random) for line in (found / "plain.jsonl").read_bytes().splitlines()]
    write_lines(found / "first.jsonl", lines[:1_800])
    write_lines(found / "second.jsonl", lines[1_800:])
    (found / "catalogue.toml").write_text(SHIPPED.read_text() + "\n[holdout]\nshare = 0.3\n")
    return found


def reported(folder: Path, *words: str) -> ProofReport:
    """Return the report of a replay of the whole history."""
    _, held = left_by("first.jsonl", "second.jsonl", "--catalogue", "catalogue.toml", *words, cwd=folder)
    return decode_report(held[PROOF].encode())


@pytest.fixture(scope="module")
def whole(folder: Path) -> ProofReport:
    return reported(folder, "--population", "none")


def test_report_does_not_need_the_population(folder: Path, whole: ProofReport) -> None:
    """A training run has no version, and so no report, for the last answers below 100."""
    assert whole.answers > 500
    assert whole.uplift.n == whole.answers
    assert whole.uplift.estimate is not None
    assert whole.off_policy["length"].n > 50
    assert whole.candidate is not None
    learned = reported(folder, "--population", "learn")
    assert whole.answers - 100 < learned.answers <= whole.answers
    assert learned.off_policy.keys() == whole.off_policy.keys()


def test_processes_share_one_proof(folder: Path, whole: ProofReport) -> None:
    """Answers of all processes reach one step."""
    assert reported(folder, "--population", "none", "--processes", "2").answers == whole.answers


@pytest.fixture
def resumed(folder: Path, tmp_path: Path) -> Iterator[tuple[ProofReport, dict[str, Any]]]:
    """Yield the report of a history that was replayed in two runs, and the output of the command."""
    words = ("--catalogue", folder / "catalogue.toml", "--state", tmp_path / "state", "--population", "none")
    with redis_of_its_own() as (url, client):
        replay(url, "first.jsonl", *words, cwd=folder)
        replay(url, "first.jsonl", "second.jsonl", "--add-files", *words, cwd=folder)
        shown = json.loads(tacit("uplift", "--redis", url, "--json").stdout)
        yield decode_report(everything_in(client)[PROOF].encode()), shown


def test_sums_survive_a_restart(resumed: tuple[ProofReport, dict[str, Any]], whole: ProofReport) -> None:
    """Two runs prove what one run proves, and the command shows it."""
    report, shown = resumed
    assert report.answers == whole.answers
    assert report.uplift == whole.uplift
    assert report.off_policy == whole.off_policy
    assert shown["report"]["answers"] == whole.answers
