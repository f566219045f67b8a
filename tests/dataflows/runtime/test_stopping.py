"""Stop requests: signals and listeners."""

import os
import signal
import subprocess
import sys
import threading

import pytest

from dataflows.runtime.stopping import SIGNALS, Stop, stopped_by_signals
from tests.support.conditions import eventually

WITHIN_S = 10


def _send(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_is_a_stop_request(number: signal.Signals) -> None:
    """All listeners are called, and the handler of the signal is restored afterwards."""
    before, calls, threads = signal.getsignal(number), [], threading.active_count()
    with stopped_by_signals() as stop:
        assert not stop.requested.is_set()
        with stop.notifies(lambda: calls.append("first")), stop.notifies(lambda: calls.append("second")):
            _send(number)
            eventually(lambda: len(calls) == 2, within_s=WITHIN_S, what="both listeners")
        assert stop.requested.is_set()
        assert stop.interrupted is (number == signal.SIGINT)
    assert calls == ["first", "second"]
    assert signal.getsignal(number) is before
    eventually(lambda: threading.active_count() == threads, within_s=WITHIN_S, what="the end of the thread")


def test_removed_listener_is_not_called() -> None:
    """A listener ends with its context."""
    calls: list[str] = []
    with stopped_by_signals() as stop:
        with stop.notifies(lambda: calls.append("requested")):
            pass
        _send(signal.SIGTERM)
        assert stop.requested.wait(WITHIN_S)
    assert calls == []


def test_contexts_within_each_other_share_the_request() -> None:
    """The signals of a process have one meaning."""
    with stopped_by_signals() as stop:
        with stopped_by_signals() as inner:
            assert inner is stop
        _send(signal.SIGINT)
        assert stop.requested.wait(WITHIN_S)


@pytest.mark.parametrize(
    ("numbers", "ends"),
    [
        ([signal.SIGINT], 0),
        ([signal.SIGINT, signal.SIGINT], 1),
        ([signal.SIGTERM] * 10, 0),
        ([signal.SIGTERM, signal.SIGINT], 0),
        ([signal.SIGTERM, signal.SIGINT, signal.SIGTERM, signal.SIGINT], 1),
    ],
)
def test_second_interrupt_ends_at_once(numbers: list[int], ends: int) -> None:
    """SIGTERM never does, however often it comes."""
    stop, calls = Stop(), []
    with stop.ends_at_once(lambda: calls.append("end")):
        for number in numbers:
            stop.request(number)
    stop.request(signal.SIGINT)
    assert len(calls) == ends


BUSY = """
import os, signal, threading
from dataflows.runtime.stopping import catch_signals, ignore_signals
stop = catch_signals()
others = [threading.Thread(target=lambda: [os.kill(os.getpid(), n) for n in [2, 15] * 500]) for _ in range(2)]
for other in others:
    other.start()
while not stop.requested.wait(0.001):  # holds the lock of the event again and again
    pass
for other in others:
    other.join()
ignore_signals()
for n in (2, 15):
    os.kill(os.getpid(), n)
print("ended", flush=True)
"""


def test_signals_without_end_neither_lock_nor_kill_the_process() -> None:
    """A thousand signals while the process waits, and more after the work: the status is 0."""
    done = subprocess.run([sys.executable, "-c", BUSY], capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, "ended\n", "")
