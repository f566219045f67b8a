"""Several processes as one run: all end together, and the error is the cause."""

import os
import re
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from dataflows.runtime.supervisor import Failure
from dataflows.runtime.worker import EngineError
from state.errors import SinkError, SourceError, StateError
from state.storage.manifest import MANIFEST_FILE
from tacit.errors import CatalogueError, ConfigurationError, TacitError
from tests.support.commands import Running, running, tacit
from tests.support.conditions import eventually
from tests.support.ports import two_free_ports
from tests.support.replays import redis_of_its_own, replay, write_history


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a file whose replay takes long enough to be interrupted."""
    path = tmp_path_factory.mktemp("history") / "events.jsonl"
    write_history(path, users=300, turns=40_000)
    return path


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError(["one", "two"]),
        CatalogueError(["a facet", "a topic"]),
        StateError("made for another"),
        SourceError("a: gone\nb: gone"),
        SinkError("full"),
        EngineError("Bytewax ended"),
        TacitError("other"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_error_of_a_process_keeps_type_and_text(error: TacitError) -> None:
    """The type decides on a restart and on the exit status."""
    arrived = Failure.from_error(error).to_error()
    assert type(arrived) is type(error)
    assert str(arrived) == str(error)


def test_process_that_cannot_start_ends_the_run(history: Path, tmp_path: Path) -> None:
    """The other process does not wait; the error and the status are those of the failed process."""
    port = two_free_ports()
    with redis_of_its_own() as (url, _), socket.create_server(("127.0.0.1", port + 1)):
        words = ("--redis", url, "--processes", "2", "--metrics", f"127.0.0.1:{port}")
        done = tacit("replay", str(history), *words, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.endswith(  # a slow start shows progress before
        f"tacit: metrics: 127.0.0.1:{port + 1} cannot be bound: Address already in use; name another, or off\n"
    )


def test_error_of_a_process_is_one_line(tmp_path: Path) -> None:
    """A damaged checkpoint in one of two processes gives no traceback."""
    small = tmp_path / "small.jsonl"
    write_history(small)
    words = (str(small), "--processes", "2", "--state", str(tmp_path / "state"))
    with redis_of_its_own() as (url, _):
        replay(url, *words, cwd=tmp_path)
        for manifest in tmp_path.glob(f"state/shards/*/c*/{MANIFEST_FILE}"):
            manifest.unlink()
        done = tacit("replay", *words, "--redis", url, cwd=tmp_path)
    assert done.returncode == 1
    assert re.match(rf"tacit: shard \d+: checkpoint c\S+ in \S+ is damaged: {MANIFEST_FILE} is missing; ", done.stderr)
    assert done.stderr.count("\n") == 1


def test_killed_process_is_named(history: Path, tmp_path: Path) -> None:
    """Without a state folder the run ends, and its error names the killed process."""
    with _run(history, tmp_path) as run:
        os.kill(run.workers[1], signal.SIGKILL)
        assert run.process.wait(20) == 1
        assert run.output.endswith("tacit: the process tacit-1 was ended by SIGKILL\n")  # a slow start shows progress
    _assert_no_process(run)


def test_process_killed_during_the_start_is_the_only_one_named(history: Path, tmp_path: Path) -> None:
    """The others wait for it until the supervisor kills them, which is a consequence."""
    words = ["replay", str(history), "--embedded", "--processes", "3"]
    with running(words, tmp_path / "log", {"dataflows.runtime.supervisor.STOP_TOGETHER_S": 1}) as run:
        run.wait_for(lambda: len(run.workers) == 3, "the start of the processes")
        os.kill(run.workers[1], signal.SIGKILL)
        assert run.process.wait(20) == 1
        assert run.output.endswith("tacit: the process tacit-1 was ended by SIGKILL\n")
        assert run.output.count("was ended by") == 1
    _assert_no_process(run)


def test_no_process_outlives_a_killed_supervisor(history: Path, tmp_path: Path) -> None:
    """The kernel kills the processes."""
    with _run(history, tmp_path) as run:
        run.process.kill()
        run.process.wait(5)
        _assert_no_process(run)


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT], ids=lambda how: how.name)
@pytest.mark.parametrize("started", [1, 2], ids=["first process", "both processes"])
def test_signal_during_the_start_ends_all_processes(
    started: int, how: signal.Signals, history: Path, tmp_path: Path
) -> None:
    """Ctrl-C signals the whole group: no traceback, no remaining process."""
    with _run(history, tmp_path, wait_for=started) as run:
        os.killpg(run.process.pid, how)
        assert run.process.wait(20) == (130 if how is signal.SIGINT else 0)
    assert "Traceback" not in run.output
    assert run.output.endswith("tacit: replay: stopped before the end; a replay with --state DIR can resume\n")
    _assert_no_process(run)


@pytest.mark.parametrize("processes", ["1", "2"])
@pytest.mark.parametrize("to_group", [False, True], ids=["to the command", "to the group"])
def test_signals_without_end_stop_a_replay_in_order(
    to_group: bool, processes: str, history: Path, tmp_path: Path
) -> None:
    """SIGTERM until the end, from the first import on: status 0, no traceback, and the next run has the rest."""
    words = [str(history), "--state", "state", "--processes", processes]
    with redis_of_its_own() as (url, client):
        for waits in (False, True):
            with running(["replay", *words, "--redis", url], tmp_path / "log") as run:
                if waits:
                    run.wait_for(lambda: client.dbsize() > 20, "the first signals")
                else:
                    run.wait_for(lambda: _catches_signals(run.process.pid), "the handler of signals")
                eventually(lambda: _is_ended_by_another(run, to_group), within_s=60, what="the end")
                assert run.process.returncode == 0, run.output
                assert "Traceback" not in run.output
                assert run.output.endswith("stopped before the end; the same command resumes there\n")
        assert replay(url, *words, cwd=tmp_path)["stopped"] is False


def test_second_interrupt_ends_a_replay_at_once(history: Path, tmp_path: Path) -> None:
    """All processes end, and the status is that of SIGINT."""
    with _run(history, tmp_path) as run:
        eventually(lambda: _is_ended_by_another(run, False, signal.SIGINT), within_s=60, what="the end")
        assert run.process.returncode == 130
    assert run.output.endswith(
        "tacit: replay: ended at once; the work since the last checkpoint is repeated by the next run\n"
    )
    _assert_no_process(run)


def _is_ended_by_another(run: Running, to_group: bool, number: signal.Signals = signal.SIGTERM) -> bool:
    """Send one more signal, unless the command has ended."""
    if run.process.poll() is None:
        (os.killpg if to_group else os.kill)(run.process.pid, number)
    return run.process.poll() is not None


def _catches_signals(pid: int) -> bool:
    """Return whether a process has a handler of SIGTERM (proc(5), SigCgt)."""
    status = Path(f"/proc/{pid}/status").read_text()
    caught = int(status.partition("SigCgt:")[2].split()[0], 16)
    return bool(caught >> (signal.SIGTERM - 1) & 1)


@contextmanager
def _run(history: Path, folder: Path, wait_for: int = 2) -> Iterator[Running]:
    """Run a replay with two processes, and yield when that many have started; for both, when they write."""
    with redis_of_its_own() as (url, client):
        words = ["replay", str(history), "--redis", url, "--processes", "2"]
        with running(words, folder / "log") as run:
            if wait_for == 2:
                run.wait_for(lambda: client.dbsize() > 20, "the first signals")
            else:
                run.wait_for(lambda: len(run.workers) >= wait_for, "the start of the processes")
            yield run


def _assert_no_process(run: Running) -> None:
    eventually(lambda: not run.group, within_s=10, what=f"the end of {run.group}")
