"""Inputs of a replay: a later start has the same ones, or an error that names the difference."""

import os
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from hashlib import sha256
from pathlib import Path
from shutil import rmtree
from threading import Event
from typing import Any

import pytest

from connectors.files.remembered import read_inputs, write_inputs
from connectors.files.source import FileSource
from dataflows.inputs import begin_inputs, finish_inputs
from dataflows.job import Job, Source, parse_source
from dataflows.selection import Selection
from dataflows.settings import Settings
from dataflows.state_folder import StateFolder, locked
from state.account import Account
from state.counters import Counters, SourceCounters
from state.errors import StateError
from tacit.contract.catalogue import SHIPPED, Catalogue
from tests.support.commands import SECRET
from tests.support.factories import CATALOGUE


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, ...]:
    """Return three files in the current folder."""
    monkeypatch.chdir(tmp_path)
    paths = tuple(Path(f"{name}.jsonl") for name in "abc")
    for path in paths:
        path.write_bytes(f'{{"{path.stem}":1}}\n'.encode() * 3)
    return paths


def job(
    source: Source,
    selection: Selection = Selection(),  # noqa: B008  # frozen
    settings: Mapping[str, Any] = {},
    *,
    bounded: bool = True,
    again: bool = False,
    adds_files: bool = False,
) -> Job:
    kept = Settings(secret=SECRET, state=Path("state"), **settings)
    return Job(kept, source, bounded, selection, again=again, adds_files=adds_files)


@contextmanager
def started(job: Job) -> Iterator[StateFolder]:
    with locked(Path("state"), job.identity, CATALOGUE, again=job.again) as folder:
        begin_inputs(job, folder)
        yield folder


def replay(job: Job, *, batches: int = 100, ends: bool = True) -> None:
    """Read some batches of two lines, with a checkpoint; `ends`: an end of the files is an orderly end of the run."""
    with started(job) as folder:
        source = FileSource(job.files, stop=Event(), counters=SourceCounters(), batch_size=2, folder=folder.path)
        ended = False
        with closing(source.build_part("", "files", None)) as partition:
            try:
                for _ in range(batches):
                    partition.next_batch()
            except StopIteration:
                ended = True
            partition.snapshot()
        if ended and ends:
            finish_inputs(job, folder, Counters(account=Account(in_range=1)))


def error_of(job: Job) -> str:
    with pytest.raises(StateError) as caught, started(job):
        pass
    return str(caught.value)


def test_same_inputs_are_accepted(files: tuple[Path, ...]) -> None:
    """Also under another path, and after a change of times alone."""
    replay(job(files))
    os.utime(files[1], ns=(0, 0))
    folder = Path("moved")
    folder.mkdir()
    with started(job(files)):
        pass
    for path in files:
        path.rename(folder / path)
    with started(job(tuple(folder / path for path in files))):
        pass
    known = read_inputs(Path("state"))
    assert known is not None
    assert [(file.lines, file.bytes) for file in known.files] == [(3, 24)] * 3


def test_another_order_is_named(files: tuple[Path, ...]) -> None:
    """The error has both numbers of the file."""
    a, b, c = files
    replay(job(files))
    assert "b.jsonl was file number 2, and is number 1 now; pass the same files" in error_of(job((b, a, c)))


@pytest.mark.parametrize(("index", "data"), [(0, b'{"x":1}\n'), (1, b""), (2, b'{"x":1}\n')])
def test_changed_file_is_named(files: tuple[Path, ...], index: int, data: bytes) -> None:
    """A file of the same size, too."""
    replay(job(files))
    files[index].write_bytes(data * 3)
    error = error_of(job(files))
    assert f"{files[index]} has " in error
    assert "start over with --again" in error


def test_only_the_last_file_may_grow(files: tuple[Path, ...]) -> None:
    """Lines at the end of an earlier file would never be read."""
    replay(job(files))
    with files[2].open("ab") as file:
        file.write(b"{}\n")
    with started(job(files)):
        pass
    with files[0].open("ab") as file:
        file.write(b"{}\n")
    assert "a.jsonl has grown since it was read, and only the last file may grow" in error_of(job(files))


def test_interrupted_replay_continues_within_an_earlier_file(files: tuple[Path, ...]) -> None:
    """A file that is read in part has more bytes than were read, and has not grown."""
    files[0].write_bytes(b'{"a":1}\n' * 700_000)
    replay(job(files), batches=1)
    remembered = read_inputs(Path("state"))
    assert remembered is not None
    assert remembered.files[0].bytes < files[0].stat().st_size
    with started(job(files)):
        pass


def test_further_file_needs_the_option(files: tuple[Path, ...]) -> None:
    """A further file at the end is read with --add-files; one in between is another order."""
    a, b, c = files
    replay(job((a, b)))
    assert "c.jsonl is further, after b.jsonl; add further files at the end by --add-files" in error_of(job(files))
    assert "c.jsonl is file number 2 in place of b.jsonl" in error_of(job((a, c, b), adds_files=True))
    replay(job(files, adds_files=True))
    assert "c.jsonl was file number 3, and is not given" in error_of(job((a, b)))


def test_files_that_are_not_read_yet_keep_their_order(files: tuple[Path, ...]) -> None:
    """An interrupted replay has no checksum of them, but their names."""
    a, b, c = files
    replay(job(files), batches=1)
    assert "b.jsonl was to come where c.jsonl is now" in error_of(job((a, c, b)))
    with started(job(files)):
        pass


def test_other_options_are_named(files: tuple[Path, ...]) -> None:
    """Users are not."""
    replay(job(files, Selection("2026-11-01")))
    assert "--from was 2026-11-01, and is not given now; give the same" in error_of(job(files))
    assert "--to was not given, and is 2026-11-02 now" in error_of(job(files, Selection("2026-11-01", "2026-11-02")))
    users = frozenset([b"u" * 16])
    assert "the replay was of all users" in error_of(job(files, Selection("2026-11-01", users=users)))


@pytest.mark.parametrize(
    ("before", "after", "difference"),
    [
        ({}, {"lateness": 1.0}, "--lateness was 24, and is 1 now"),
        ({"lateness": 24}, {"lateness": 2.5}, "--lateness was 24, and is 2.5 now"),
        ({"ttl": None, "namespace": "old"}, {"namespace": "old"}, "--ttl was none, and is 30 now"),
        ({}, {"tombstones": 40}, "--tombstones was "),
        ({}, {"population": "none"}, "--population was learn, and is none now"),
        ({"population": "7"}, {}, "--population was 7, and is learn now"),
        (
            {},
            {"format": "avro", "schema_registry": "http://localhost:9"},
            "--format was json, and is avro now",
        ),
        (
            {},
            {"challenger": ("river.naive_bayes.BernoulliNB",)},
            "--challenger was none, and is river.naive_bayes.BernoulliNB now",
        ),
        ({}, {"challenger_share": 0.2}, "--challenger-share was 0.1, and is 0.2 now"),
        (
            {"models": {"river.naive_bayes.BernoulliNB": {"alpha": 2}}},
            {},
            'models was {"river.naive_bayes.BernoulliNB":{"alpha":2}}, and is none now',
        ),
    ],
)
def test_another_setting_is_named_with_both_values(
    files: tuple[Path, ...], before: dict[str, Any], after: dict[str, Any], difference: str
) -> None:
    """The result would belong to no one configuration; the error names the remedy, also after the end."""
    replay(job(files, settings=before), batches=1)
    assert difference in error_of(job(files, settings=after))
    replay(job(files, settings=before))
    error = error_of(job(files, settings=after))
    assert difference in error
    assert error.endswith("; give the same, or start over with --again")
    with started(job(files, settings=after, again=True)):
        pass


def test_another_catalogue_is_named(files: tuple[Path, ...]) -> None:
    """By the hash of its meaning: it may move, and get comments and labels, and a live run may have another one."""
    replay(job(files), batches=1)
    text = SHIPPED.read_text()
    same, newer = Path("same.toml"), Path("newer.toml")
    same.write_text(f'# A comment.\n{text.replace(" = ", "  =  ")}\n[labels.fr.topics]\ncode = "programmation"\n')
    newer.write_text(text.replace("version = 1", "version = 2", 1))
    with started(job(files, settings={"catalogue": same})):
        pass
    hashes = [sha256(Catalogue.load(path).meaning).hexdigest()[:16] for path in (SHIPPED, newer)]
    expected = f"--catalogue was sha256 {hashes[0]}…, and is sha256 {hashes[1]}… now; give the same"
    assert expected in error_of(job(files, settings={"catalogue": newer}))
    rmtree("state")
    for catalogue in (SHIPPED, newer):
        with started(job(files[:1], settings={"catalogue": catalogue}, bounded=False)):
            pass


def test_settings_that_change_no_result_may_change(files: tuple[Path, ...]) -> None:
    """Processes, destinations and times of checkpoints, for example."""
    replay(job(files), batches=1)
    with started(job(files, settings={"processes": 2, "rejects": "other.jsonl", "rate": 9.0, "checkpoint_every": 2})):
        pass


def test_folder_of_an_earlier_version_takes_the_settings_of_its_next_run(files: tuple[Path, ...]) -> None:
    """It has no settings to compare with, and has them from then on."""
    replay(job(files), batches=1)
    known = read_inputs(Path("state"))
    assert known is not None
    known.settings = {}
    write_inputs(Path("state"), known)
    with started(job(files, settings={"lateness": 2.0})):
        pass
    assert "--lateness was 2, and is 24 now" in error_of(job(files))


def test_population_of_some_users_follows_from_the_users(files: tuple[Path, ...]) -> None:
    """The error is about the users, and not about an option that was not given."""
    users = Selection(users=frozenset([b"u" * 16]))
    replay(job(files))
    error = error_of(job(files, users, settings={"population": "none"}))
    assert "the replay was of all users" in error
    assert "--population" not in error


def test_again_starts_over(files: tuple[Path, ...]) -> None:
    """The state is empty, and inputs may differ; others' files in the folder stay."""
    replay(job(files))
    (Path("state") / "notes").touch()
    with started(job(files[:1], again=True)) as folder:
        assert not list(folder.shards.glob("*"))
    assert (Path("state") / "notes").exists()
    known = read_inputs(Path("state"))
    assert known is not None
    assert (known.names, known.files, known.finished) == (["a.jsonl"], [], False)


def test_interrupted_deletion_is_completed_by_the_next_start(files: tuple[Path, ...]) -> None:
    """The start needs no second --again."""
    replay(job(files))
    (Path("state") / "starting-over").touch()
    (Path("state") / "tacit.json").unlink()
    with started(job(files[:1])):
        pass
    assert not (Path("state") / "starting-over").exists()


def test_finished_replay_is_known(files: tuple[Path, ...]) -> None:
    """A hand-over needs the end of the replay."""
    replay(job(files), batches=1)
    unfinished = read_inputs(Path("state"))
    replay(job(files))
    finished = read_inputs(Path("state"))
    assert unfinished
    assert finished
    assert (unfinished.finished, finished.finished) == (False, True)


def in_several_goes() -> bool:
    known = read_inputs(Path("state"))
    assert known is not None
    return known.in_several_goes


@pytest.mark.parametrize("is_killed", [False, True], ids=["finished", "killed at the end"])
def test_history_that_grew_after_its_end_was_read_in_several_goes(files: tuple[Path, ...], is_killed: bool) -> None:
    """The end ended a round early: a longer last file and a further file are remembered until --again."""
    a, b, c = files
    replay(job((a, b)), ends=not is_killed)
    with started(job((a, b))):
        assert not in_several_goes()
    with b.open("ab") as file:
        file.write(b"{}\n")
    with started(job((a, b))):
        assert in_several_goes()
    replay(job((a, b)))
    assert in_several_goes()
    replay(job((a, b), again=True))
    assert not in_several_goes()
    replay(job((a, b, c), adds_files=True))
    assert in_several_goes()


def test_history_that_grew_before_its_end_was_read_in_one_go(files: tuple[Path, ...]) -> None:
    """An interruption ends no round."""
    a, b, c = files
    replay(job((a, b)), batches=3)
    with b.open("ab") as file:
        file.write(b"{}\n")
    replay(job((a, b, c), adds_files=True))
    assert not in_several_goes()


def test_topics_are_named_in_the_identity() -> None:
    """The order of topics decides between records of one time."""
    topics = parse_source(["kafka://h:1/a", "kafka://h:1/b"])
    assert job(topics).source_name == "topics a, b"
