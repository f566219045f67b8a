"""state/user/outbox: the signals of a batch that wait."""

from state.learning.decisions import Decision, Finding
from state.user.outbox import Outbox
from tests.support.factories import START_MS


def finding(seq: int = 1) -> Finding:
    return Finding(Decision(2, 1, 0.7, 1), 0.6, 0.5, None, 1.0, 0.0, True, b"", 0, START_MS, seq)


def test_new_outbox_is_empty() -> None:
    """A user without signals has no write."""
    assert not Outbox()


def test_signal_or_profile_waits() -> None:
    """One of both is enough."""
    signal, profile = Outbox(), Outbox()
    signal.findings[0] = finding()
    profile.profile = b"", START_MS, 1
    assert signal
    assert profile


def test_last_signal_of_a_facet_waits() -> None:
    """Earlier ones of the batch are never made into JSON."""
    outbox = Outbox()
    for seq in range(3):
        outbox.findings[0] = finding(seq)
    assert [one.seq for one in outbox.findings.values()] == [2]


def test_outboxes_share_nothing() -> None:
    """Each user has one of its own."""
    one, other = Outbox(), Outbox()
    one.findings[0] = finding()
    assert not other
