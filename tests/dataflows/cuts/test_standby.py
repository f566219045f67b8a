"""Warm standby: its folder has the newest cut, and nothing of the cuts before."""

from pathlib import Path
from threading import Event

from dataflows.cuts.bucket import Bucket
from dataflows.cuts.cut import Cut
from dataflows.cuts.local_cut import read_local_cut
from dataflows.cuts.standby import kept_warm
from dataflows.rotation.tokens import read_tokens
from dataflows.state_folder import RECOVERY, SHARDS
from state.storage.checkpoint_folder import ShardFolder
from tacit.contract.pseudonyms import pseudonym
from tests.support.commands import SECRET
from tests.support.conditions import eventually
from tests.support.cuts import make_cut, teach, users_of, wipe
from tests.support.histories import START_MS

ADA = pseudonym("u:ada", SECRET.encode())
LATER_MS = START_MS + 3_600_000


def follow(bucket: Bucket, cut: Cut, folder: Path) -> None:
    """Let a standby run until it has a cut."""
    with kept_warm(bucket, folder, Event()):
        eventually(lambda: read_local_cut(folder).number == cut.number, within_s=30, what="the fetch")


def test_folder_has_the_checkpoints_of_the_newest_cut_alone(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    """Earlier ones would keep the learned state of a user who forgot since, for as long as the standby waits."""
    warm = tmp_path / "warm"
    teach(state, [ADA], LATER_MS)
    follow(bucket, make_cut(bucket, state), warm)
    wipe(state, ADA, LATER_MS + 1)
    follow(bucket, make_cut(bucket, state, number=2), warm)
    tokens = read_tokens(warm / RECOVERY)
    assert {token.shard: ShardFolder(warm / SHARDS, token.shard).names() for token in tokens.values()} == {
        token.shard: [token.name] for token in tokens.values()
    }
    assert users_of(warm) == users_of(state)
