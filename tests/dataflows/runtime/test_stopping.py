"""Stop requests: signals and listeners."""

import os
import signal

import pytest

from dataflows.runtime.stopping import SIGNALS, stopped_by_signals


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_is_a_stop_request(number: signal.Signals) -> None:
    """All listeners are called, and the handler of the signal is restored afterwards."""
    before, calls = signal.getsignal(number), []
    with stopped_by_signals() as stop:
        assert not stop.requested.is_set()
        with stop.notifies(lambda: calls.append("first")), stop.notifies(lambda: calls.append("second")):
            os.kill(os.getpid(), number)
        assert stop.requested.is_set()
    assert calls == ["first", "second"]
    assert signal.getsignal(number) is before


def test_removed_listener_is_not_called() -> None:
    """A listener ends with its context."""
    calls: list[str] = []
    with stopped_by_signals() as stop:
        with stop.notifies(lambda: calls.append("requested")):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.requested.is_set()
    assert calls == []
