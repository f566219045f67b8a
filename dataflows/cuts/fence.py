"""Lease on a URL and namespace in object storage: one cluster at a time, each with a higher fencing number.

The lease is one object, written by conditional puts only. Its cluster writes it again every `BEAT_S`. Another cluster
takes it once it has seen no change for `LEASE_S` by its own clock, so the clocks of hosts are never compared. A cluster
that was paused for longer finds another ETag, and stops; a manifest that it wrote has a lower fencing number, and is
never the newest.

Source: M. Kleppmann, "How to do distributed locking", 2016, on fencing tokens.
"""

from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Self

import msgspec
import structlog

from connectors.objects.store import ObjectStore
from dataflows.cuts.bucket import LEASE, Bucket
from dataflows.holder import Holder
from dataflows.lease import Lease, now_s
from state.errors import OwnershipError
from tacit.errors import TacitError

BEAT_S = 1.5
LEASE_S = 5.0
_LOOK_EVERY_S = 0.5

_log = structlog.get_logger(__name__)


class Record(msgspec.Struct, frozen=True):
    """Contents of the lease."""

    fence: int
    holder: Holder | None
    """Run with the lease; None: it was released."""
    beat: int = 0
    """Number of the renewals."""


class Fence:
    """Lease of this run: taken before it reads the newest cut, and kept by a thread until the end of the context.

    Args:
        store: objects of the namespace.
        holder: the run.
        on_loss: called with the reason when another cluster has the lease.
        taking: the same objects for `take`, with calls that a stop request ends; None: no request comes.
        known: a fencing number that was used before; 0: none is known.
    """

    def __init__(
        self,
        store: ObjectStore,
        holder: Holder,
        on_loss: Callable[[str], None],
        taking: ObjectStore | None = None,
        known: int = 0,
    ) -> None:
        self._store = store
        self._taking = taking or store
        self._url = str(store.address)
        self._holder = holder
        self._known = known
        self._on_loss = on_loss
        self._record = Record(0, None)
        self._etag = ""
        self._end = Event()
        self.lease = Lease()
        """The lease as the processes of the run see it."""

    @property
    def number(self) -> int:
        """Fencing number of this run; 0 before the take."""
        return self._record.fence

    def take(self, stop: Event, *, stands_by: bool = False) -> bool:
        """Take the lease; wait for the end of another cluster's, which a stop request interrupts (False).

        With `stands_by`, the wait lasts as long as the other cluster runs.

        Raises:
            OwnershipError: another cluster runs.
            ObjectStoppedError: a stop request ended a call.
        """
        began_s, seen = now_s(), ""
        while not stop.is_set():
            found = self._taking.get(LEASE)
            other = _decode(found[0], self._url) if found else Record(0, None)
            etag = found[1] if found else ""
            if etag != seen:
                if seen and other.holder and not stands_by:
                    raise OwnershipError(
                        f"{self._url} is held by {other.holder}: stop that run, or give this one another URL or "
                        "namespace"
                    )
                began_s, seen = now_s(), etag
            has_ended = other.holder is None or other.holder.has_ended("")
            if has_ended or now_s() - began_s > LEASE_S:
                highest = max(other.fence, self._known, Bucket(self._taking).highest_fence())
                if self._put(self._taking, Record(highest + 1, self._holder), etag):
                    return True
            if not has_ended:
                stop.wait(_LOOK_EVERY_S)
        return False

    def _put(self, store: ObjectStore, record: Record, etag: str) -> bool:
        began_s, data = now_s(), msgspec.json.encode(record)
        new = store.put_instead(LEASE, data, etag) if etag else store.put_new(LEASE, data)
        if new is None:
            return False
        self._record, self._etag = record, new
        self.lease.extend(began_s + LEASE_S)
        return True

    def __enter__(self) -> Self:
        self._thread = Thread(target=self._keep, name="fence", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()
        if not self.lease.is_lost:
            self.lease.lose()  # another cluster may take the lease at once
            try:
                self._put(self._store, Record(self.number, None), self._etag)
            except TacitError as failure:
                _log.warning("fence.release_failed", error=str(failure))

    def _keep(self) -> None:
        while not self._end.wait(BEAT_S):
            try:
                self._renew()
            except TacitError as error:  # no other cluster can take the lease without the storage
                _log.warning("fence.renewal_failed", error=str(error))
            if self.lease.is_lost:
                return

    def _renew(self) -> None:
        record = msgspec.structs.replace(self._record, beat=self._record.beat + 1)
        if self._put(self._store, record, self._etag):
            return
        found = self._store.get(LEASE)
        if found and (kept := _decode(found[0], self._url)).fence == self.number and kept.holder == self._holder:
            self._record, self._etag = kept, found[1]  # the answer to an earlier put was lost
            return
        self.lease.lose()
        if found:
            holder = _decode(found[0], self._url).holder or "another cluster"
            problem = f"{self._url} was taken by {holder}, as the lease of this run had ended"
        else:
            problem = f"{self._url}/{LEASE} was deleted: look who deletes objects there, and start again"
        _log.error("fence.lost", problem=problem)
        self._on_loss(problem)


def _decode(data: bytes, url: str) -> Record:
    try:
        return msgspec.json.decode(data, type=Record)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise OwnershipError(
            f"{url}/{LEASE} cannot be read: {error}; if surely no run uses this URL, delete the object"
        ) from error
