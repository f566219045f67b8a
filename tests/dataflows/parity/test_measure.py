"""dataflows/parity/measure: users with the same events are compared, and no others."""

import msgspec
import pytest

from connectors.redis.difference import Difference
from connectors.redis.held import NO_GATE, Held, held
from dataflows.parity.measure import Parity, Standing, standing_of
from tacit.contract.signals import Profile, Signal, encode
from tacit_cli.views.parity import STANDINGS
from tests.support.sample_signals import NOW_MS, profile, signal

SIGNAL = signal("concise", NOW_MS, 7)


def user(*fields: tuple[str, Signal | Profile]) -> Held:
    return held({name.encode(): encode(content) for name, content in fields})


def seen(at_ms: int, count: int) -> Held:
    return user(("length", signal("concise", NOW_MS, 99)), ("_profile", profile(at_ms, count)))


@pytest.mark.parametrize(
    ("served", "replayed", "standing"),
    [
        (seen(NOW_MS, 7), seen(NOW_MS, 7), Standing.COMPARED),
        (seen(NOW_MS + 1, 8), seen(NOW_MS, 7), Standing.NEWER),
        (seen(NOW_MS, 8), seen(NOW_MS, 7), Standing.INCOMPLETE),
        (seen(NOW_MS, 6), seen(NOW_MS, 7), Standing.COMPARED),
        (seen(NOW_MS - 1, 6), seen(NOW_MS, 7), Standing.COMPARED),
        (user(("length", SIGNAL)), user(("length", SIGNAL)), Standing.COMPARED),
        (user(("length", signal("concise", NOW_MS, 8))), user(("length", SIGNAL)), Standing.INCOMPLETE),
        (user(), seen(NOW_MS, 7), Standing.GONE),
        (seen(NOW_MS, 7), user(), Standing.WITHOUT_HISTORY),
        (held({b"_status": b"{}"}), seen(NOW_MS, 7), Standing.COMPARED),
    ],
)
def test_standing(served: Held, replayed: Held, standing: Standing) -> None:
    """By the profile, if there is one; a live run that missed an event is compared, and differs."""
    assert standing_of(served, replayed) is standing


def test_every_standing_has_a_text() -> None:
    assert list(STANDINGS) == list(Standing)


def test_rate_is_about_signals_and_profiles() -> None:
    found = Parity("eu", "live", 0, Difference("live", "replayed"))
    assert found.as_dict()["rate"] is None
    other = msgspec.structs.replace(SIGNAL, value="detailed")
    one, two = (user(("length", each), ("_profile", profile(NOW_MS))) for each in (SIGNAL, other))
    found.difference.add(one, two, NO_GATE)
    assert (found.compared, found.same, found.rate) == (2, 1, 0.5)
