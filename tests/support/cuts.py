"""Cuts of state folders in a store for tests: made without a run, and damaged."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

from connectors.objects.store import ObjectStore
from dataflows.cuts.bucket import Bucket
from dataflows.cuts.cut import Cut, CutShard, StoredFile
from dataflows.cuts.part import chosen_shards
from dataflows.cuts.send_rate import SendRate
from dataflows.cuts.staging import committed_tokens, local_shards, stage
from dataflows.cuts.upload import Uploaded, Uploader, known_tables
from dataflows.rotation.tokens import read_tokens, replace_tokens
from dataflows.state_folder import CUT, RECOVERY, SHARDS, Identity, read_folder_id, read_identity
from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Kind
from state.storage.manifest import Token
from state.storage.rewriting import committed_users
from state.storage.shards import shard_of
from tests.support.factories import make_observation
from tests.support.folder_listing import everything_below
from tests.support.object_server import opened
from tests.support.shard_stores import make_turn, open_stores, process

UNLIMITED = SendRate(None, lambda _: None)
IDENTITY = Identity(2, "eu", "live", "kafka://localhost:9092/events", "fingerprint")


def folder_bucket(folder: Path) -> Bucket:
    """Return the cuts in a folder, which is created."""
    folder.mkdir(exist_ok=True)
    return Bucket(opened(f"file://{folder}"))


def uploader(bucket: Bucket, execution: str = "run1", host: int = 0) -> Uploader:
    """Return an uploader without a limit."""
    return Uploader(bucket, host, execution, UNLIMITED)


def upload(bucket: Bucket, state: Path, *, number: int = 1, fence: int = 1, execution: str = "run1") -> Uploaded:
    """Upload the files of a state folder, without those that the newest cut has."""
    staged = stage(state, {shard.shard for shard in local_shards(state / SHARDS)})
    tokens = committed_tokens(staged.path / RECOVERY)
    try:
        known = known_tables(bucket.newest())
        return uploader(bucket, execution).upload(staged.only(tokens.values()), known, fence, number)
    finally:
        shutil.rmtree(state / CUT)


def make_cut(bucket: Bucket, state: Path, *, number: int = 1, fence: int = 1, execution: str = "run1") -> Cut:
    """Upload a cut of a state folder, as a run does."""
    part = upload(bucket, state, number=number, fence=fence, execution=execution).part
    cut = Cut(
        number=number,
        fence=fence,
        made_ms=1,
        run=execution,
        state=read_folder_id(state),
        identity=read_identity(state),
        population=part.population,
        archives=[part.archive],
        shards=chosen_shards([part], read_tokens(state / RECOVERY)) or {},
    )
    bucket.write(cut)
    return cut


def plain_cut(number: int, files: Sequence[str] = (), *, fence: int = 1) -> Cut:
    """Return a cut that names some objects; none of them needs to exist."""
    archive, *tables = [StoredFile(key, 1, 0) for key in (f"archives/{fence}-{number}", *files)]
    tables_by_name = {file.key.rpartition("/")[2]: file for file in tables}
    shards = {"0": CutShard(Token(0, 1, number, "run").pack().hex(), tables_by_name)}
    return Cut(
        number=number,
        fence=fence,
        made_ms=number,
        run="run",
        state="state",
        identity=IDENTITY,
        population=0,
        archives=[archive],
        shards=shards,
    )


def teach(state: Path, users: Sequence[bytes], at_ms: int) -> None:
    """Give each user a liked turn, and commit checkpoints of their shards; tables of before stay in them."""
    tokens = read_tokens(state / RECOVERY)
    shards = read_identity(state).shards
    new: dict[int, bytes] = {}
    with open_stores(state / SHARDS, shards=shards, catalogue=NumberedCatalogue.load()) as stores:
        for shard, token in tokens.items():
            if mine := [user for user in users if shard_of(user, shards) == shard]:
                store = stores.resume(token.pack())
                process(store, [make_turn(user, at_ms) for user in mine])
                new[shard] = store.snapshot()
    replace_tokens(state / RECOVERY, new)


def users_of(state: Path) -> Mapping[bytes, bytes]:
    """Return the packed states of all committed users, by pseudonym."""
    return dict(committed_users(state / SHARDS, read_tokens(state / RECOVERY)))


def objects(store: ObjectStore) -> dict[str, int]:
    """Return key → size of all objects."""
    return {found.key: found.size for found in store.list()}


def unchanged(folder: Path) -> dict[str, int]:
    """Return path → size of all files of a bucket in a folder, but for its lock."""
    found = everything_below(folder)
    return {path: size for path, (size, _) in found.items() if not path.endswith((".lock", ".new"))}


def wipe(state: Path, user: bytes, at_ms: int) -> None:
    """Let a user forget everything, and erase the older bytes from the committed checkpoint."""
    tokens, shards = read_tokens(state / RECOVERY), read_identity(state).shards
    token = tokens[shard_of(user, shards)]
    with open_stores(state / SHARDS, shards=shards, catalogue=NumberedCatalogue.load()) as stores:
        store = stores.resume(token.pack())
        process(store, [make_observation(at_ms, kind=Kind.FORGET, user=user)], erased=[user])
        store.start_compaction()
        store.settle(waits=True)
        made = store.snapshot()
    replace_tokens(state / RECOVERY, {token.shard: made})
