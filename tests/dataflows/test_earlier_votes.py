"""Contributors of a state of an earlier version, read from the recovery store."""

import pickle
import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec

from dataflows.earlier_votes import read_earlier_votes
from dataflows.state_folder import Identity, StateFolder, locked
from operators.rounds import EARLIER_LAYOUT, resharded
from state.learning.delta import Delta
from tests.state.learning.test_population_trainer import central_state
from tests.support.factories import CATALOGUE, START_MS

KEY = b"key"
VOTED = {"length=concise": (START_MS // (182 * 24 * 3_600_000), bytes(8))}
IDENTITY = Identity(16, "eu", "live", "files", "fingerprint")


def store(folder: StateFolder, part: int, number: int, state: bytes) -> None:
    """Store a state of the keyed step, as Bytewax does."""
    with closing(sqlite3.connect(folder.recovery / f"part-{part}.sqlite3")) as connection, connection:
        connection.execute(
            "INSERT INTO snaps (step_id, state_key, snap_epoch, ser_change) VALUES (?, ?, ?, ?)",
            ("adaptation.learn_population", "population", number, pickle.dumps(state)),
        )


def test_newest_state_counts(tmp_path: Path) -> None:
    """It may be that of a replay; a folder without any, and a run without a folder, have no contributors."""
    assert read_earlier_votes(None, KEY).contributors == {}
    with locked(tmp_path / "state", IDENTITY, CATALOGUE) as folder:
        assert read_earlier_votes(folder, KEY).contributors == {}
        store(folder, 0, 7, central_state({}, KEY))
        rounds = msgspec.msgpack.encode((4, b"", {}, [], b"", central_state(VOTED, KEY)))
        store(folder, 0, 9, bytes([EARLIER_LAYOUT]) + rounds)
        found = read_earlier_votes(folder, KEY)
        assert found.season == VOTED["length=concise"][0]
        assert found.contributors == {"length=concise": bytes(8)}
        assert len(found.sets()["length=concise"]) == 4
        waiting = resharded(None, KEY, lambda source: source, [Delta(0, 0)])
        assert waiting is not None
        store(folder, 0, 10, waiting)
        assert read_earlier_votes(folder, KEY).contributors == {}
