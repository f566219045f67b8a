"""Simulated users of `tacit serve --embedded --demo`, and the one whose page is shown."""

import time
from pathlib import Path

from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from tacit.reader.adaptation import Adaptation
from tacit.reader.reader import SignalReader
from tacit_lab.simulate import Scenario, simulate
from tacit_lab.simulate.output import write_events

USERS, TURNS, DAYS, SEED = 30, 3_000, 28, 1
"""Scenario within the time to live of signals."""


def write_history(log: Path, settings: Settings) -> None:
    """Write the history of the users, which ends now; the log appears when it is complete.

    Raises:
        SinkError: the log cannot be written.
    """
    scenario = Scenario(
        end_ms=time.time_ns() // 1_000_000, users=USERS, turns=TURNS, days=DAYS, seed=SEED, region=settings.region,
        pins=0.4, topical=0.6,
    )  # fmt: skip
    write_events(simulate(scenario, NumberedCatalogue.load(settings.catalogue)).events, str(log))


def shown_user(settings: Settings) -> str | None:
    """Return the user with signals of the most kinds; None without any.

    Raises:
        TacitError: Redis does not answer.
    """
    users = [f"user-{number:06d}" for number in range(USERS)]
    catalogue = NumberedCatalogue.load(settings.catalogue)
    with SignalReader(
        settings.redis, region=settings.region, secret=settings.secret_bytes, catalogue=catalogue
    ) as reader:
        found = reader.get_many(users)
    known = [user for user in users if found[user].signals]
    return max(known, key=lambda user: _kinds(found[user]), default=None)


def _kinds(adaptation: Adaptation) -> tuple[int, int, float]:
    """Return the counts of kinds of signals, of learned signals, and their evidence, for a comparison of users."""
    signals = adaptation.signals.values()
    learned = [signal for signal in signals if signal.source == "learned"]
    pinned = any(signal.source == "user" for signal in signals)
    tiers = len({signal.tier for signal in learned})
    return pinned + tiers + any(signal.contexts for signal in learned), len(learned), sum(s.evidence for s in learned)
