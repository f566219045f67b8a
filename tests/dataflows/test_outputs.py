"""Outputs that are input are refused before anything is written."""

from pathlib import Path

import pytest

from dataflows.outputs import refuse_outputs_in
from dataflows.settings import Settings
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET, tacit

TOPICS = ["rejects", "control_rejects", "receipts", "audit"]
OUTPUTS = [*TOPICS, "log_file"]


def settings(**outputs: str) -> Settings:
    return Settings(secret=SECRET, **outputs)  # type: ignore[arg-type]  # only texts are passed


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Provide a folder with an event file, which is the current folder."""
    folder = tmp_path / "history"
    folder.mkdir()
    (folder / "events.jsonl").write_bytes(b"{not json\n")
    monkeypatch.chdir(folder)
    return folder


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("path", ["events.jsonl", "../history/events.jsonl", "link", "hard", "through/events.jsonl"])
def test_file_of_the_source_is_refused_by_any_path(history: Path, name: str, path: str) -> None:
    """A file is known by device and inode, not by its name."""
    (history / "link").symlink_to("events.jsonl")
    (history / "hard").hardlink_to("events.jsonl")
    (history / "through").symlink_to(history)
    with pytest.raises(ConfigurationError, match=rf"{name}: {path} is the file events.jsonl of the source"):
        refuse_outputs_in(["other.jsonl", "events.jsonl"], settings(**{name: path}))


def test_link_in_the_source_to_a_file_that_does_not_exist_yet_is_refused(history: Path) -> None:
    """The first line of the output would make the file that the link names."""
    (history / "later.jsonl").symlink_to("out.jsonl")
    with pytest.raises(ConfigurationError, match="rejects"):
        refuse_outputs_in(["later.jsonl"], settings(rejects="out.jsonl"))


@pytest.mark.parametrize("source", [".", "../history", "../link"])
def test_default_in_a_folder_of_the_source_is_refused(history: Path, source: str) -> None:
    """The next run over the folder would read it."""
    (history.parent / "link").symlink_to(history)
    with pytest.raises(ConfigurationError, match=r"rejects: tacit-rejects.jsonl is in the folder .* of the source"):
        refuse_outputs_in([source], settings())


def test_target_of_a_link_in_a_folder_of_the_source_is_refused(history: Path) -> None:
    (history / "linked.jsonl").symlink_to("../out.jsonl")
    with pytest.raises(ConfigurationError, match="in the folder"):
        refuse_outputs_in(["."], settings(rejects="../out.jsonl"))


@pytest.mark.parametrize("rejects", ["rejects.txt", ".rejects.jsonl", "../rejects.jsonl", "below/rejects.jsonl"])
def test_file_that_no_run_reads_is_accepted(history: Path, rejects: str) -> None:
    """In a folder only names of event files are read, and no folders below."""
    (history / "below").mkdir()
    refuse_outputs_in(["."], settings(rejects=rejects))


def test_file_next_to_a_file_of_the_source_is_accepted(history: Path) -> None:
    """Only a folder of the source is read whole."""
    assert history == Path.cwd()
    refuse_outputs_in(["events.jsonl"], settings())


@pytest.mark.parametrize("name", TOPICS)
@pytest.mark.parametrize("path", ["out.jsonl", "../history/out.jsonl", "link", "hard"])
def test_file_of_the_logs_is_no_other_output(history: Path, name: str, path: str) -> None:
    """Also by a link, and before the file exists; of topics no name is that of a file."""
    (history / "link").symlink_to("out.jsonl")
    if path == "hard":
        (history / "out.jsonl").touch()
        (history / "hard").hardlink_to("out.jsonl")
    with pytest.raises(ConfigurationError, match=rf"log_file: out.jsonl is the file of {name}, too"):
        refuse_outputs_in(["events.jsonl"], settings(log_file="out.jsonl", **{name: path}))
    refuse_outputs_in(["events.jsonl"], settings(log_file="log.jsonl", **{name: path}))
    refuse_outputs_in(["events.jsonl"], settings(log_file="out.jsonl", **{name: "kafka://a:1/out.jsonl"}))


@pytest.mark.parametrize("name", TOPICS)
def test_topic_of_the_source_is_refused(name: str) -> None:
    """One broker in common is enough, and none has to answer."""
    with pytest.raises(ConfigurationError, match=rf"{name}: .* is the topic of the source"):
        refuse_outputs_in(["kafka://a:1,b:1/events"], settings(**{name: "kafka://b:1,c:1/events"}))
    refuse_outputs_in(["kafka://a:1/events"], settings(**{name: "kafka://a:1/others"}))


def test_commands_refuse_and_leave_the_file(history: Path) -> None:
    words = ("events.jsonl", "--rejects", "events.jsonl")
    replayed = tacit("replay", *words, "--embedded", cwd=history)
    assert (replayed.returncode, "rejects: events.jsonl is the file" in replayed.stderr) == (2, True)
    checked = tacit("check", *words, cwd=history)
    assert (checked.returncode, "so the run would read its own lines" in " ".join(checked.stdout.split())) == (1, True)
    assert (history / "events.jsonl").read_bytes() == b"{not json\n"
