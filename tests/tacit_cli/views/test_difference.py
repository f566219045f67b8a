"""tacit_cli/views/difference: tables of a comparison."""

from io import StringIO

import msgspec
from rich.console import Console

from connectors.redis.difference import Difference, Terms
from connectors.redis.held import NO_GATE, held
from tacit.contract.signals import encode
from tacit_cli.views.difference import difference_tables
from tests.support.sample_signals import NOW_MS, profile, signal


def lines(found: Difference) -> list[str]:
    out = StringIO()
    Console(file=out, width=120).print(*difference_tables(found), sep="\n")
    return out.getvalue().splitlines()


def test_every_count_has_a_row() -> None:
    """Tiers, sources, confidences, profiles and causes appear where they differ."""
    found = Difference("live", "shadow", Terms(0.01, 7))
    one = signal("concise", NOW_MS)
    two = msgspec.structs.replace(one, tier="hint", source="population", confidence=0.7)
    first, second = profile(NOW_MS), msgspec.structs.replace(profile(NOW_MS), topics=())
    found.add(
        held({b"length": encode(one), b"_profile": encode(first)}),
        held({b"length": encode(two), b"_profile": encode(second)}),
        NO_GATE,
    )
    text = "\n".join(lines(found))
    for expected in (
        "users in both", "of a sample of 7", "confidence within 0.01", "another profile", "topics 1", "length",
        "tier apply → hint", "source learned → population", "confidence by up to 0.2", "unexplained",
    ):  # fmt: skip
        assert expected in text


def test_equal_namespaces_have_no_causes() -> None:
    found = Difference("live", "shadow")
    user = held({b"length": encode(signal("concise", NOW_MS))})
    found.add(user, user, NO_GATE)
    assert not [line for line in lines(found) if "cause" in line or "change of signals" in line]
