"""Warm standby: a folder that follows the newest cut, until the run takes the lease of the cluster before it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import structlog

from dataflows.cuts.bucket import Bucket
from dataflows.cuts.fetch import ShardFetch, fetch
from dataflows.cuts.local_cut import LocalCut, read_local_cut
from dataflows.state_folder import DESCRIPTION, FETCHING, SHARDS, exclusive
from state.storage.checkpoint_folder import ShardFolder
from tacit.errors import TacitError

LOOK_EVERY_S = 5.0
"""Time between two looks for a new cut: the fetch of one that was missed would be a part of a takeover."""
_THREADS = 2
"""Shards at once; each fetches several tables at once."""

_log = structlog.get_logger(__name__)


@contextmanager
def kept_warm(bucket: Bucket, folder: Path, end: Event) -> Iterator[None]:
    """Fetch each new cut into a folder, in another thread, while the context lasts.

    Args:
        bucket: cuts of the namespace; its calls end once `end` is set.
        folder: state folder that no run uses.
        end: set at the end of the context.
    """
    thread = Thread(target=_follow, args=(bucket, folder, end), name="standby", daemon=True)
    thread.start()
    try:
        yield
    finally:
        end.set()
        thread.join()


def _follow(bucket: Bucket, folder: Path, end: Event) -> None:
    followed: list[str] = []
    while not end.is_set():
        try:
            if (newest := bucket.cuts()[-1:]) != followed:
                _fetch_newest(bucket, folder)
                followed = newest
        except TacitError as error:
            if not end.is_set():
                _log.warning("standby.fetch_failed", error=str(error))
        end.wait(LOOK_EVERY_S)


def _fetch_newest(bucket: Bucket, folder: Path) -> None:
    newest, local = bucket.newest(), read_local_cut(folder)
    is_whole = (folder / DESCRIPTION).exists() and not (folder / FETCHING).exists()
    if newest is None or (is_whole and newest.position <= (local.fence, local.number)):
        return
    fetch(bucket, newest, folder)
    complete = ShardFetch(bucket, folder)
    with ThreadPoolExecutor(_THREADS, thread_name_prefix="standby") as threads:
        list(threads.map(complete, tokens := [shard.checkpoint for shard in newest.shards.values()]))
    with exclusive(folder):
        for token in tokens:  # no run commits here, and earlier checkpoints may have users who were wiped since
            shard = ShardFolder(folder / SHARDS, token.shard)
            shard.delete(name for name in shard.names() if name != token.name)
    LocalCut(newest.fence, newest.number, newest.begun_from).write(folder)
