"""State folder: creation, lock, identity, vocabulary and crashes."""

import json
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
from dataflows.state_folder import FORMAT, Identity, StateFolder, read_identity, read_vocabulary
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
    "identity": Identity(16, "eu", "live", "topic events", "5ec2e7", identity="casefold"),
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
    """Simulated power failure."""


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "deep" / "state"


def locked(
    state: Path, identity: Identity = IDENTITY, catalogue: NumberedCatalogue = CATALOGUE
) -> AbstractContextManager[StateFolder]:
    return module.locked(state, identity, catalogue)


def _error(state: Path, identity: Identity = IDENTITY) -> str:
    with pytest.raises(StateError) as caught, locked(state, identity):
        pass
    return str(caught.value)


def test_new_folder_is_created_with_its_parents(state: Path) -> None:
    """The first run creates the folder, the recovery store, the vocabulary and the description."""
    with locked(state) as held:
        assert (held.path, held.recovery, held.shards) == (state, state / "recovery", state / "shards")
        assert len(list(held.recovery.glob("part-*.sqlite3"))) == 4
    names = ["id", "recovery", "run.lock", "tacit.json", "vocabulary.json"]
    assert sorted(path.name for path in state.iterdir()) == names


def test_folder_from_before_user_ids_could_be_folded_compares_them_exactly(state: Path) -> None:
    with locked(state):
        pass
    description = state / "tacit.json"
    content = json.loads(description.read_bytes())
    del content["identity"]
    description.write_text(json.dumps(content))
    with locked(state):
        pass
    assert "identity 'exact', not 'casefold'" in _error(state, OTHERS["identity"])


def test_folder_of_the_format_before_is_used_and_upgraded(state: Path) -> None:
    """Afterwards an older version rejects the folder; a format that no version had is an error."""
    with locked(state):
        pass
    description = state / "tacit.json"
    current = description.read_bytes()
    now = f'"format": {FORMAT}'.encode()
    description.write_bytes(current.replace(now, f'"format": {FORMAT - 1}'.encode()))
    assert read_identity(state).format == FORMAT - 1
    with locked(state):
        assert description.read_bytes() == current
    description.write_bytes(current.replace(now, f'"format": {FORMAT + 1}'.encode()))
    assert f"format {FORMAT + 1}, not {FORMAT}" in _error(state)


def test_working_folders_of_a_killed_run_are_deleted(state: Path) -> None:
    """Also in a shard that the next run does not open."""
    with locked(state):
        pass
    work = state / "shards" / "003" / "work-1f3a09bc"
    work.mkdir(parents=True)
    (work / "000007.sst").write_bytes(b"bytes of a user")
    with locked(state):
        assert not work.exists()


def test_second_run_uses_the_same_folder(state: Path) -> None:
    """The second run keeps the recovery store of the first."""
    with locked(state) as held:
        (held.recovery / "part-0.sqlite3").write_bytes(b"saved")
    with locked(state) as held:
        assert (held.recovery / "part-0.sqlite3").read_bytes() == b"saved"


def test_each_run_has_its_own_name(state: Path) -> None:
    """The name distinguishes the checkpoints of different runs."""
    executions = set()
    for _ in range(5):
        with locked(state) as held:
            executions.add(held.execution)
    assert {len(execution) for execution in executions} == {8}
    assert len(executions) == 5


@pytest.mark.parametrize("name", OTHERS)
def test_folder_of_another_identity_is_an_error(name: str, state: Path) -> None:
    """The error has both values and the remedy."""
    with locked(state, OTHERS[name]):
        pass
    theirs, ours = getattr(OTHERS[name], name), getattr(IDENTITY, name)
    assert f"was made for {name} {theirs!r}, not {ours!r}: run with that, or give another folder" in _error(state)


def test_second_run_on_a_locked_folder_is_an_error(state: Path) -> None:
    """The lock holds between processes."""
    with _holder(state):
        assert "another run uses the state folder" in _error(state)
    with locked(state):
        pass


def test_lock_is_free_after_kill_9(state: Path) -> None:
    """A killed run leaves no lock to remove."""
    with _holder(state) as holder:
        holder.send_signal(signal.SIGKILL)
        holder.wait(5)
    with locked(state):
        pass


def test_lock_is_free_after_an_error(state: Path) -> None:
    """A run with another identity releases the lock."""
    with locked(state):
        pass
    _error(state, OTHERS["shards"])
    with locked(state):
        pass


@pytest.mark.parametrize("step", range(9))
def test_creation_is_completed_after_a_crash_at_any_step(
    step: int, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The next start completes the folder."""
    with monkeypatch.context() as patch:
        _crash_at(step, patch)
        with pytest.raises(CrashError), locked(state):
            pass
    assert not (state / "tacit.json").exists()
    with locked(state) as held:
        assert len(list(held.recovery.glob("part-*.sqlite3"))) == 4
        assert read_vocabulary(state) == held.vocabulary == Vocabulary().including(CATALOGUE)


def test_incomplete_recovery_store_is_replaced(state: Path) -> None:
    """The next start discards the files of a crash in `init_db_dir`."""
    (state / "recovery.new").mkdir(parents=True)
    (state / "recovery.new" / "part-0.sqlite3").write_bytes(b"half")
    with locked(state) as held:
        assert (held.recovery / "part-0.sqlite3").read_bytes()[:6] == b"SQLite"


def test_missing_description_is_an_error(state: Path) -> None:
    """Without the description, the identity of the store is unknown."""
    with locked(state):
        pass
    (state / "tacit.json").unlink()
    assert "its tacit.json is gone: restore it from a backup, or give another folder" in _error(state)


@pytest.mark.parametrize("content", [b"", b'{"shards":16', b"[]", b'{"shards":"many"}', b"\xff\xfe"])
def test_damaged_description_is_an_error(content: bytes, state: Path) -> None:
    """The error has the file, the reason and the remedy."""
    with locked(state):
        pass
    (state / "tacit.json").write_bytes(content)
    message = _error(state)
    assert message.startswith(f"{state / 'tacit.json'} cannot be read: ")
    assert message.endswith("restore it from a backup, or give another folder")


def test_missing_recovery_store_is_an_error(state: Path) -> None:
    """With a new store, a run would silently read all events again."""
    with locked(state):
        pass
    (state / "recovery").rename(state / "elsewhere")
    assert f"{state / 'recovery'} is missing: restore the folder from a backup" in _error(state)


# Vocabulary


def test_vocabulary_grows_with_the_catalogue_and_never_shrinks(state: Path) -> None:
    """A name keeps its number after its removal from the catalogue."""
    films = NumberedCatalogue.parse(FILMS)
    with locked(state) as held:
        first = held.vocabulary
    with locked(state, catalogue=films) as held:
        both = held.vocabulary
    assert both == first.including(films) != first
    assert both.slots[: len(first.slots)] == first.slots
    with locked(state) as held:
        assert held.vocabulary == read_vocabulary(state) == both


def test_folder_keeps_its_id(state: Path) -> None:
    """A folder of an earlier version gets one at its next run; another folder has another."""
    with locked(state) as held:
        first = held.id
        assert held.is_empty
    with locked(state) as held:
        assert held.id == first
    with locked(state.parent / "other") as other:
        assert other.id != first
    (state / "id").unlink()
    with locked(state) as held:
        assert held.id not in {"", first}


def test_unchanged_vocabulary_is_not_written_again(state: Path) -> None:
    """The file stays the same."""
    with locked(state):
        pass
    before = (state / "vocabulary.json").stat().st_ino
    with locked(state):
        assert (state / "vocabulary.json").stat().st_ino == before


@pytest.mark.parametrize("step", range(3))
def test_vocabulary_survives_a_crash_at_any_step_of_a_write(
    step: int, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The file is the old or the new vocabulary, and the next start adds the missing names."""
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


def test_partial_write_of_the_vocabulary_is_replaced(state: Path) -> None:
    """A crash leaves a partial file with another name."""
    with locked(state):
        pass
    (state / "vocabulary.json.new").write_bytes(b'{"facets":["ton')
    with locked(state, catalogue=NumberedCatalogue.parse(FILMS)) as held:
        assert read_vocabulary(state) == held.vocabulary


@pytest.mark.parametrize("content", [None, b"", b'{"facets":["tone"]', b"[]", b'{"facets":"tone"}', b"\xff\xfe"])
def test_missing_or_damaged_vocabulary_is_an_error(content: bytes | None, state: Path) -> None:
    """With a new vocabulary, numbers would silently stand for other names."""
    with locked(state):
        pass
    path = state / "vocabulary.json"
    path.unlink() if content is None else path.write_bytes(content)
    message = _error(state)
    assert message.startswith(f"{path} cannot be read: ")
    assert message.endswith("restore it from a backup, or give another folder")
    assert path.exists() is (content is not None)


def test_vocabulary_with_a_repeated_name_is_an_error(state: Path) -> None:
    """A name has one number."""
    with locked(state):
        pass
    (state / "vocabulary.json").write_bytes(b'{"facets":["tone","tone"]}')
    assert _error(state).startswith("the vocabulary is damaged: facets: a name appears twice; restore")


def test_run_with_another_identity_does_not_change_the_vocabulary(state: Path) -> None:
    """The check of the identity precedes the write."""
    with locked(state) as held:
        before = held.vocabulary
    with pytest.raises(StateError), locked(state, OTHERS["region"], NumberedCatalogue.parse(FILMS)):
        pass
    assert read_vocabulary(state) == before


# Disk


def test_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    """The error has the reason of the system."""
    (tmp_path / "state").write_text("")
    assert f"the state folder {tmp_path / 'state'} cannot be used: File exists; make it writable" in _error(
        tmp_path / "state"
    )


def test_unwritable_folder_is_an_error() -> None:
    """The error precedes the first read of the source."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name, _without_root():  # a folder of pytest is for one user only
        assert "cannot be used: Permission denied; make it writable, make room, or give another" in _error(
            Path(name, "state")
        )


@contextmanager
def _holder(state: Path) -> Iterator["subprocess.Popen[str]"]:
    """Yield a process that locks the folder."""
    command = [sys.executable, "-c", HOLDER, str(state)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.communicate()


@contextmanager
def _without_root() -> Iterator[None]:
    """Run as another user: root may write to each folder."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def _crash_at(step: int, patch: pytest.MonkeyPatch) -> None:
    """Make call number `step` of the creation raise a CrashError instead of its work."""
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


def test_reader_sees_a_complete_folder_or_none(tmp_path: Path) -> None:
    """During the creation, a folder with a description has all names of the catalogue."""
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
