"""dataflows/runtime/stopping: signals that ask."""

import os
import signal

import pytest

from dataflows.runtime.stopping import SIGNALS, stopped_by_signals


@pytest.mark.parametrize("number", SIGNALS)
def test_signal_asks_and_nothing_else(number: signal.Signals) -> None:
    """Everybody who listens hears of it; afterwards the signal is what it was."""
    before, heard = signal.getsignal(number), []
    with stopped_by_signals() as stop:
        assert not stop.asked.is_set()
        with stop.heard_by(lambda: heard.append("first")), stop.heard_by(lambda: heard.append("second")):
            os.kill(os.getpid(), number)
        assert stop.asked.is_set()
    assert heard == ["first", "second"]
    assert signal.getsignal(number) is before


def test_who_has_stopped_listening_hears_nothing() -> None:
    """What a listener would pass it on to is gone."""
    heard: list[str] = []
    with stopped_by_signals() as stop:
        with stop.heard_by(lambda: heard.append("asked")):
            pass
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked.is_set()
    assert heard == []
