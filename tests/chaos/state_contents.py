"""Contents of the state folder for each user, in the terms of the ledger."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from dataflows.inspection import inspect
from dataflows.state_folder import DESCRIPTION
from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from state.storage.checkpoint_reader import CheckpointReader
from state.user.pins import PinnedAt
from state.user.user_state import UserState
from tacit.contract.pseudonyms import pseudonym_text
from tests.chaos.account import DENIED, GRANTED, UNASKED, Pinned


class Held(NamedTuple):
    """State of one user in the newest checkpoint."""

    clock_ms: int
    seq: int
    wiped_ms: int
    forgotten_ms: int
    consent: str
    consent_at_ms: int
    pins: Mapping[str, Pinned]
    windows: Mapping[str, int]
    recent: frozenset[int]
    """32-bit hashes of the last events."""


def users_in(state: Path) -> dict[str, Held]:
    """Return the users in the newest checkpoints of a state folder by pseudonym; none before the folder exists."""
    if not (state / DESCRIPTION).exists():
        return {}
    folder = inspect(state, NumberedCatalogue.load())
    return dict(_users(folder.checkpoints, folder.catalogue))


def _users(checkpoints: CheckpointReader, catalogue: NumberedCatalogue) -> Iterator[tuple[str, Held]]:
    for shard in checkpoints.shards():
        with checkpoints.open(shard) as reading:
            for user, state in reading or ():
                yield pseudonym_text(user), _held(state, catalogue)


def _held(state: UserState, catalogue: NumberedCatalogue) -> Held:
    windows = {"1h": 0, "24h": 0, "7d": 0}
    if state.windows is not None:
        shown = state.windows.profile("", state.newest_ms, catalogue.topics.values).activity
        windows = {"1h": shown.hour, "24h": shown.day, "7d": shown.week}
    return Held(
        state.newest_ms,
        state.seq,
        state.consent.wiped_ms,
        state.consent.forgotten_ms,
        (UNASKED, GRANTED, "lapsed", DENIED)[state.consent.states[0]],
        state.consent.since_ms[0],
        {catalogue.facet_names[facet]: _pinned(pin, catalogue) for facet, pin in state.pins.items()},
        windows,
        frozenset(state.events.hashes),
    )


def _pinned(pin: PinnedAt, catalogue: NumberedCatalogue) -> Pinned:
    return Pinned(None if pin.slot == NONE else catalogue.slots[pin.slot].value, pin.at_ms)
