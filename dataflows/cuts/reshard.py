"""Cut with another number of shards, made from the newest cut while no run uses the URL.

newest cut ─┬► users, by new shard ─► new checkpoints ─► compared with the cut, user by user ─┬► uploaded ─► manifest
            └► training, positions ─► new recovery store ─► read again ───────────────────────┘

The earlier cut and all savepoints stay as they are. Without the manifest, the new cut does not exist; the next run
deletes its files.
"""

import secrets
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from heapq import merge
from itertools import zip_longest
from math import gcd
from pathlib import Path
from threading import Event
from time import sleep
from typing import NamedTuple

import structlog
from msgspec.structs import replace

from connectors.objects.probe import require_conditions
from dataflows.cuts.bucket import Bucket, new_execution
from dataflows.cuts.cut import Cut
from dataflows.cuts.fence import Fence
from dataflows.cuts.keyed_states import KeyedStates, read_states, replace_states
from dataflows.cuts.part import chosen_shards
from dataflows.cuts.reading import FetchedCut, fetched_cut
from dataflows.cuts.resharded_training import Carried, ReshardedTraining
from dataflows.cuts.send_rate import SendRate
from dataflows.cuts.staging import Staged
from dataflows.cuts.upload import Uploader
from dataflows.graph import ADAPT_STEP
from dataflows.holder import Holder
from dataflows.recovery_store import copy_store, is_consistent, source_positions
from dataflows.settings import Settings
from dataflows.state_folder import RECOVERY, ROOT_FILES, SHARDS, write_identity
from state.errors import OwnershipError, StateError
from state.learning.encryption import derived_key
from state.storage.checkpoint_folder import ShardFolder
from state.storage.erasure import Erasure
from state.storage.manifest import Token
from state.storage.rewriting import Rewriting, committed_users
from state.storage.rocksdb import storage_error
from state.storage.shards import overlapping, shard_of
from state.user import codec
from tacit.contract.pseudonyms import fingerprint
from tacit.errors import ConfigurationError

HOUR_MS = 3_600_000

_log = structlog.get_logger(__name__)


class Resharded(NamedTuple):
    """Result of a change of the number of shards."""

    earlier: Cut
    shards: int
    users: int
    training: Carried
    cut: Cut | None
    """New cut; None for a trial."""


def reshard(bucket: Bucket, settings: Settings, shards: int, *, is_trial: bool = False) -> Resharded:
    """Make a cut with another number of shards from the newest one, and verify each user.

    Files are in a temporary folder, which needs room for both cuts. A trial uploads nothing, and needs no lease.

    Raises:
        ConfigurationError: the cut has that number of shards.
        OwnershipError: a run uses the URL.
        StateError: there is no cut, it is damaged or of another secret, or a user differs.
        StorageError: the disk is full or fails.
        TacitError: the errors of `ObjectStore`.
    """
    with _fenced(bucket, is_needed=not is_trial) as fence:
        cut = _newest(bucket, settings, shards)
        with fetched_cut(bucket, cut) as earlier:
            earlier.complete()
            return _reshard(bucket, settings, earlier, shards, fence)


@contextmanager
def _fenced(bucket: Bucket, *, is_needed: bool) -> Iterator[Fence | None]:
    if not is_needed:
        yield None
        return
    require_conditions(bucket.store)
    holder = Holder.of_this_process(secrets.token_hex(4), 1, None)
    fence = Fence(bucket.store, holder, lambda problem: _log.error("reshard.stopped", problem=problem))
    fence.take(Event())
    with fence:
        yield fence


def _newest(bucket: Bucket, settings: Settings, shards: int) -> Cut:
    cut = bucket.newest()
    if cut is None:
        raise StateError(f"{bucket.url} has no cut yet: start tacit run with --checkpoints first")
    if cut.identity.secret != fingerprint(settings.secret_bytes):
        raise StateError(f"cut {cut.text} of {bucket.url} was made with another secret: give that one by TACIT_SECRET")
    if cut.identity.shards == shards:
        raise ConfigurationError([f"shards: cut {cut.text} of {bucket.url} has {shards} shards already"])
    return cut


def _reshard(bucket: Bucket, settings: Settings, earlier: FetchedCut, shards: int, fence: Fence | None) -> Resharded:
    cut, folder = earlier.cut, earlier.folder.parent / "resharded"
    try:
        folder.mkdir()
        states = read_states(earlier.folder / RECOVERY)
        tokens = {shard: Token.unpack(token) for shard, token in states.of_shards(ADAPT_STEP).items()}
        lateness_ms = round(settings.lateness * HOUR_MS)
        if tokens != {int(shard): found.checkpoint for shard, found in cut.shards.items()}:
            raise StateError(f"cut {cut.text} of {bucket.url} is damaged: its recovery store has other checkpoints")
        training = ReshardedTraining(
            states, derived_key(settings.secret_bytes), cut.identity.shards, shards, lateness_ms
        )
        written = _write_users(earlier, folder, tokens, shards)
        users = _verify_users(earlier, folder, tokens, written, training)
        carried = training.replace_in(states)
        states.set_shards(ADAPT_STEP, {shard: token.pack() for shard, token in written.tokens.items()})
        _write_recovery(earlier, folder, states)
        for name in ROOT_FILES:
            if (earlier.folder / name).exists():
                shutil.copyfile(earlier.folder / name, folder / name)
        write_identity(folder, replace(cut.identity, shards=shards))
    except OSError as error:
        raise storage_error(str(folder), error.strerror or str(error)) from error
    made = None if fence is None else _upload(bucket, settings, cut, folder, written, fence)
    return Resharded(cut, shards, users, carried, made)


class _Written(NamedTuple):
    shards: int
    tokens: Mapping[int, Token]
    newest_ms: int
    """Newest event time of all users."""


def _write_users(earlier: FetchedCut, folder: Path, tokens: Mapping[int, Token], shards: int) -> _Written:
    """Write all users into new checkpoints."""
    newest_ms = 0
    with Rewriting(folder / SHARDS, shards, secrets.token_hex(4), _erasures(earlier.cut, shards)) as rewriting:
        for user, packed in committed_users(earlier.folder / SHARDS, tokens):
            rewriting.write(user, packed)
            newest_ms = max(newest_ms, codec.newest_ms(packed))
        finished = rewriting.finish()
    return _Written(shards, {shard: Token.unpack(token) for shard, token in finished.items()}, newest_ms)


def _erasures(cut: Cut, shards: int) -> dict[int, Erasure]:
    """Return the erasures of the new shards: their counts are higher than all that savepoints have followed."""
    earlier = {int(shard): found.erasures for shard, found in cut.shards.items()}
    return {
        shard: Erasure(
            1 + sum(earlier.get(other, 0) for other in overlapping(shard, shards, cut.identity.shards)),
            is_rewritten=True,
        )
        for shard in range(shards)
    }


def _verify_users(
    earlier: FetchedCut, folder: Path, tokens: Mapping[int, Token], written: _Written, training: ReshardedTraining
) -> int:
    """Compare each user of the cut with the new one, carry the limits, and return the count of users.

    Shards with one remainder of a division by the greatest common divisor have the same users on both sides.
    """
    users = 0
    before, after = earlier.cut.identity.shards, written.shards
    common = gcd(before, after)
    for remainder in range(common):
        old = merge(*(_users(earlier.folder, tokens, shard, before) for shard in range(remainder, before, common)))
        new = merge(*(_users(folder, written.tokens, shard, after) for shard in range(remainder, after, common)))
        for expected, found in zip_longest(old, new):
            if expected is None or expected != found:
                raise StateError(
                    f"a user of shards {remainder}, {remainder + common}, … of cut {earlier.cut.text} differs in the "
                    "new cut, which was not completed; the cut stays as it is: report this with the version of Tacit"
                )
            user, packed = expected
            training.carry_limits(user, codec.newest_ms(packed), written.newest_ms)
            users += 1
    return users


def _users(folder: Path, tokens: Mapping[int, Token], shard: int, shards: int) -> Iterator[tuple[bytes, bytes]]:
    token = tokens.get(shard)
    for user, packed in committed_users(folder / SHARDS, {shard: token}) if token else ():
        if shard_of(user, shards) != shard:
            raise StateError(f"shard {shard} of {folder} has a user of another shard: restore an older cut")
        yield user, packed


def _write_recovery(earlier: FetchedCut, folder: Path, states: KeyedStates) -> None:
    """Write a recovery store with new states and the same positions, and read it again."""
    recovery, work = earlier.folder / RECOVERY, folder / "recovery.work"
    positions = source_positions(recovery)
    copy_store(recovery, work)
    replace_states(work, states)
    copy_store(work, folder / RECOVERY)
    shutil.rmtree(work)
    shutil.copytree(folder / RECOVERY, work)
    is_whole = is_consistent(work) and source_positions(work) == positions
    if not is_whole or read_states(work).by_step != states.by_step:
        raise StateError(
            f"the recovery store of cut {earlier.cut.text} could not be rewritten; the cut stays as it is: report this "
            "with the version of Tacit"
        )
    shutil.rmtree(work)


def _upload(bucket: Bucket, settings: Settings, cut: Cut, folder: Path, written: _Written, fence: Fence) -> Cut:
    checkpoints = {
        token: ShardFolder(folder / SHARDS, shard).manifest_of(token) for shard, token in written.tokens.items()
    }
    execution = new_execution(fence.number)
    uploader = Uploader(bucket, 0, execution, SendRate(settings.upload_rate, sleep))
    part = uploader.upload(Staged(folder, checkpoints), {}, fence.number, cut.number + 1).part
    made = replace(
        cut,
        number=cut.number + 1,
        fence=fence.number,
        run=execution,
        identity=replace(cut.identity, shards=written.shards),
        archives=[part.archive],
        shards=chosen_shards([part], written.tokens) or {},
        followed=None,
        rewritten_ms=0,
    )
    if not fence.lease.holds:
        raise OwnershipError(f"the lease on {bucket.url} was lost: nothing was changed; repeat the command")
    bucket.write(made)
    return made
