"""The state folder: made once, held by one run, refused by what it was not made for, and whole after any crash."""

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest
from bytewax.recovery import init_db_dir

from dataflows import state_folder as module
from dataflows.inspection import inspect
from dataflows.state_folder import Identity, StateFolder, read_vocabulary
from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.errors import StateError
from tests.support.factories import CATALOGUE, FILMS

IDENTITY = Identity(16, "eu", "live", "topic events", "5ec2e7")
OTHERS = {
    "shards": Identity(8, "eu", "live", "topic events", "5ec2e7"),
    "region": Identity(16, "us", "live", "topic events", "5ec2e7"),
    "namespace": Identity(16, "eu", "shadow", "topic events", "5ec2e7"),
    "source": Identity(16, "eu", "live", "files", "5ec2e7"),
    "secret": Identity(16, "eu", "live", "topic events", "other"),
}
HOLDER = """
import sys
from pathlib import Path
from dataflows.state_folder import Identity, locked
from state.catalogue.numbered import NumberedCatalogue
with locked(Path(sys.argv[1]), Identity(16, "eu", "live", "topic events", "5ec2e7"), NumberedCatalogue.load()):
    print("held", flush=True)
    sys.stdin.read()
"""


class CrashError(BaseException):
    """The power went off."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state"


def locked(
    state: Path, identity: Identity = IDENTITY, catalogue: NumberedCatalogue = CATALOGUE
) -> AbstractContextManager[StateFolder]:
    return module.locked(state, identity, catalogue)


def _refused(state: Path, identity: Identity = IDENTITY) -> str:
    with pytest.raises(StateError) as caught, locked(state, identity):
        pass
    return str(caught.value)


def test_new_folder_is_made_with_all_above_it(state: Path) -> None:
    """The first run makes the folder, the recovery store and the description."""
    with locked(state) as held:
        assert (held.path, held.recovery, held.shards) == (state, state / "recovery", state / "shards")
        assert len(list(held.recovery.glob("part-*.sqlite3"))) == 4
    assert sorted(path.name for path in state.iterdir()) == ["recovery", "run.lock", "tacit.json", "vocabulary.json"]


def test_folder_is_used_again_as_it_is(state: Path) -> None:
    """A second run finds what the first one left."""
    with locked(state) as held:
        (held.recovery / "part-0.sqlite3").write_bytes(b"saved")
    with locked(state) as held:
        assert (held.recovery / "part-0.sqlite3").read_bytes() == b"saved"


def test_every_run_has_a_name_of_its_own(state: Path) -> None:
    """Its checkpoints are told from those of all others."""
    executions = set()
    for _ in range(5):
        with locked(state) as held:
            executions.add(held.execution)
    assert {len(execution) for execution in executions} == {8}
    assert len(executions) == 5


@pytest.mark.parametrize("name", OTHERS)
def test_folder_made_for_something_else_is_refused(name: str, state: Path) -> None:
    """The message says what it was made for, what was asked for, and what to do."""
    with locked(state, OTHERS[name]):
        pass
    theirs, ours = getattr(OTHERS[name], name), getattr(IDENTITY, name)
    assert f"was made for {name} {theirs!r}, not {ours!r}: run with that, or give another folder" in _refused(state)


def test_second_run_is_refused_while_the_first_holds_the_folder(state: Path) -> None:
    """Not only in this process: the lock is the kernel's."""
    with _holder(state):
        assert "another run uses the state folder" in _refused(state)
    with locked(state):
        pass


def test_lock_is_free_after_kill_9(state: Path) -> None:
    """Nothing is left that a person would have to remove."""
    with _holder(state) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait(5)
    with locked(state):
        pass


def test_lock_is_free_after_a_refusal(state: Path) -> None:
    """Whoever asked for something else does not keep the folder."""
    with locked(state):
        pass
    _refused(state, OTHERS["shards"])
    with locked(state):
        pass


@pytest.mark.parametrize("step", range(9))
def test_folder_is_completed_after_a_crash_at_any_step_of_making_it(
    step: int, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start goes on from whatever is there."""
    with monkeypatch.context() as patch:
        _crash_at(step, patch)
        with pytest.raises(CrashError), locked(state):
            pass
    assert not (state / "tacit.json").exists()
    with locked(state) as held:
        assert len(list(held.recovery.glob("part-*.sqlite3"))) == 4
        assert read_vocabulary(state) == held.vocabulary == Vocabulary().including(CATALOGUE)


def test_half_made_store_is_made_anew(state: Path) -> None:
    """What a crash within Bytewax's own step leaves is thrown away."""
    (state / "recovery.new").mkdir(parents=True)
    (state / "recovery.new" / "part-0.sqlite3").write_bytes(b"half")
    with locked(state) as held:
        assert (held.recovery / "part-0.sqlite3").read_bytes()[:6] == b"SQLite"


def test_description_that_is_gone_is_damage(state: Path) -> None:
    """Without it nobody knows what the store was made for."""
    with locked(state):
        pass
    (state / "tacit.json").unlink()
    assert "its tacit.json is gone: restore it from a backup, or give another folder" in _refused(state)


@pytest.mark.parametrize("content", [b"", b'{"shards":16', b"[]", b'{"shards":"many"}', b"\xff\xfe"])
def test_damaged_description_is_refused(content: bytes, state: Path) -> None:
    """It is named, with what is wrong and what to do."""
    with locked(state):
        pass
    (state / "tacit.json").write_bytes(content)
    message = _refused(state)
    assert message.startswith(f"{state / 'tacit.json'} cannot be read: ")
    assert message.endswith("restore it from a backup, or give another folder")


def test_missing_store_is_refused(state: Path) -> None:
    """A new store beside an old description would read everything again in silence."""
    with locked(state):
        pass
    (state / "recovery").rename(state / "elsewhere")
    assert f"{state / 'recovery'} is missing: restore the folder from a backup" in _refused(state)


# The vocabulary


def test_vocabulary_grows_with_the_catalogue_and_never_shrinks(state: Path) -> None:
    """Names keep their numbers whether the catalogue has them or not."""
    films = NumberedCatalogue.parse(FILMS)
    with locked(state) as held:
        first = held.vocabulary
    with locked(state, catalogue=films) as held:
        both = held.vocabulary
    assert both == first.including(films) != first
    assert both.slots[: len(first.slots)] == first.slots
    with locked(state) as held:
        assert held.vocabulary == read_vocabulary(state) == both


def test_vocabulary_that_does_not_grow_is_not_written_again(state: Path) -> None:
    """Nothing is risked without need."""
    with locked(state):
        pass
    before = (state / "vocabulary.json").stat().st_ino
    with locked(state):
        assert (state / "vocabulary.json").stat().st_ino == before


@pytest.mark.parametrize("step", range(3))
def test_vocabulary_survives_a_crash_at_any_step_of_growing(
    step: int, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is the old one or the new one, and the next start goes on from there."""
    films = NumberedCatalogue.parse(FILMS)
    with locked(state) as held:
        before = held.vocabulary
    with monkeypatch.context() as patch:
        _crash_at(step, patch)
        with pytest.raises(CrashError), locked(state, catalogue=films):
            pass
    assert read_vocabulary(state) in {before, before.including(films)}
    with locked(state, catalogue=films) as held:
        assert held.vocabulary == before.including(films)


def test_half_written_vocabulary_is_written_anew(state: Path) -> None:
    """As a crash leaves it beside the old one."""
    with locked(state):
        pass
    (state / "vocabulary.json.new").write_bytes(b'{"facets":["ton')
    with locked(state, catalogue=NumberedCatalogue.parse(FILMS)) as held:
        assert read_vocabulary(state) == held.vocabulary


@pytest.mark.parametrize("content", [None, b"", b'{"facets":["tone"]', b"[]", b'{"facets":"tone"}', b"\xff\xfe"])
def test_vocabulary_that_is_gone_or_damaged_is_refused(content: bytes | None, state: Path) -> None:
    """Under a new one, numbers would silently stand for other names."""
    with locked(state):
        pass
    path = state / "vocabulary.json"
    path.unlink() if content is None else path.write_bytes(content)
    message = _refused(state)
    assert message.startswith(f"{path} cannot be read: ")
    assert message.endswith("restore it from a backup, or give another folder")
    assert path.exists() is (content is not None)


def test_vocabulary_that_gives_a_name_two_numbers_is_refused(state: Path) -> None:
    """It was not written by us."""
    with locked(state):
        pass
    (state / "vocabulary.json").write_bytes(b'{"facets":["tone","tone"]}')
    assert _refused(state).startswith("the vocabulary is damaged: facets: a name appears twice; restore")


def test_folder_made_for_something_else_keeps_its_vocabulary(state: Path) -> None:
    """A refused run leaves nothing behind."""
    with locked(state) as held:
        before = held.vocabulary
    with pytest.raises(StateError), locked(state, OTHERS["region"], NumberedCatalogue.parse(FILMS)):
        pass
    assert read_vocabulary(state) == before


# The disk


def test_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    """The system's words are passed on."""
    (tmp_path / "state").write_text("")
    assert f"the state folder {tmp_path / 'state'} cannot be used: File exists; make it writable" in _refused(
        tmp_path / "state"
    )


def test_folder_that_cannot_be_written_is_refused() -> None:
    """Found out before anything is read."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name, _as_nobody():  # pytest's are for one user only
        assert "cannot be used: Permission denied; make it writable, make room, or give another" in _refused(
            Path(name, "state")
        )


@contextmanager
def _holder(state: Path) -> Iterator["subprocess.Popen[str]"]:
    """Give a process that holds the folder."""
    command = [sys.executable, "-c", HOLDER, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate()


@contextmanager
def _as_nobody() -> Iterator[None]:
    """Root may write anywhere, so be someone else."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def _crash_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Let the calls that make a folder crash: the one of number `step`, before it does anything."""
    calls: Iterator[int] = iter(range(100))

    def counted(call: Callable[..., object]) -> Callable[..., object]:
        def crash_or_call(*args: object, **kwargs: object) -> object:
            if next(calls) == step:
                raise CrashError
            return call(*args, **kwargs)

        return crash_or_call

    patch.setattr(module, "init_db_dir", counted(init_db_dir))
    patch.setattr(os, "fsync", counted(os.fsync))
    for name in ("rename", "replace"):
        patch.setattr(Path, name, counted(getattr(Path, name)))


def test_reader_finds_no_folder_or_a_complete_one(tmp_path: Path) -> None:
    """A folder that is read while a run makes it holds all names of the catalogue as soon as it is a state folder."""
    ended, problems = Event(), set()

    def read() -> None:
        while not ended.is_set():
            for folder in tmp_path.iterdir():
                try:
                    inspect(folder, CATALOGUE)
                except StateError as error:
                    problems.add(str(error).replace(str(folder), "FOLDER").partition(":")[0])

    reader = Thread(target=read)
    reader.start()
    try:
        for number in range(30):
            with module.locked(tmp_path / str(number), IDENTITY, CATALOGUE):
                pass
    finally:
        ended.set()
        reader.join()
    assert problems <= {"FOLDER is no state folder"}
