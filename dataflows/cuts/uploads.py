"""Loop of the process that uploads: the first host asks for a cut, each host sends a part, the first completes it."""

import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing.connection import Connection
from pathlib import Path
from time import monotonic, time_ns
from typing import NamedTuple

import msgspec
import structlog
from msgspec.structs import replace

from dataflows.cuts.bucket import Bucket, open_bucket
from dataflows.cuts.counters import CutCounters
from dataflows.cuts.cut import Cut, CutShard
from dataflows.cuts.foreign_shards import ForeignShards
from dataflows.cuts.local_cut import LocalCut
from dataflows.cuts.part import REQUEST, Part, Request, chosen_shards, part_key
from dataflows.cuts.retention import Retention
from dataflows.cuts.savepoint_wipes import SavepointWipes
from dataflows.cuts.send_rate import SendRate
from dataflows.cuts.staging import TRIES, InconsistentCopiesError, Staged, committed_tokens, local_shards, stage
from dataflows.cuts.upload import Uploaded, Uploader, known_tables, unpack
from dataflows.lease import Lease
from dataflows.recovery_store import newest_commit
from dataflows.settings import Settings
from dataflows.state_folder import CUT, RECOVERY, SHARDS, read_folder_id, read_identity
from state.catalogue.numbered import NumberedCatalogue
from state.errors import ObjectStoreError, OwnershipError, StateError
from state.storage.manifest import Token
from state.temporary import temporary_folder
from tacit.errors import TacitError

FINISH = "finish"
_FIRST_TRY_EVERY_S = 1.0
_LOOK_EVERY_S = 0.5
_LOOK_FOR_COMMIT_S = 0.05
_COMMIT_AFTER_S = 10.0
"""Time for the next commit, more than two intervals."""
PARTS_WITHIN_S = 600.0
"""Time for the parts of other hosts."""

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class UploadJob:
    """Uploads of one host of a run."""

    settings: Settings
    folder: Path
    local: LocalCut
    """Memory of the folder, with the fencing number of the run."""
    lease: Lease
    log_level: str
    host: int = 0
    hosts: int = 1
    execution: str = ""
    """Name of the process among the keys of objects: no other process has it."""
    counters: CutCounters = field(default_factory=CutCounters)
    """Counters of the processes before this one."""


class _Parts(NamedTuple):
    """Parts of all hosts, and the checkpoint of each shard."""

    parts: list[Part]
    shards: dict[str, CutShard]
    bytes: int
    """Bytes that this host sent."""


class Uploads:
    """Uploads of one host until a request to finish."""

    def __init__(self, job: UploadJob, pipe: Connection) -> None:
        settings = job.settings
        self._job = job
        self._pipe = pipe
        self._counters = job.counters
        self._bucket: Bucket = open_bucket(settings)
        rate = SendRate(settings.upload_rate, self._pause)
        self._uploader = Uploader(self._bucket, job.host, job.execution, rate)
        self._retention = Retention(self._bucket, job.local.fence, settings.keep_cuts, self._holds)
        catalogue = NumberedCatalogue.load(settings.catalogue)
        self._wipes = SavepointWipes(
            self._bucket, catalogue, job.folder / CUT, settings.erase_within, rate, self._holds
        )
        self._newest: Cut | None = None
        self._number = 0
        """Number of the last cut that this host took part in."""
        self._served = ("", 0)
        """Execution of the first host, and number, of the last request that this host served."""
        self._finishes = False
        self._foreign = ForeignShards()
        self._has_made_last = False
        """True once the last cut is complete, on the first host; on others once their part of it is sent."""

    def run(self) -> None:
        """Take part in cuts, and in a last one on request."""
        if self._job.host == 0:
            self._lead()
        else:
            self._follow()
        self._pipe.close()

    def _lead(self) -> None:
        while not self._finishes:
            due_s = monotonic() + self._job.settings.upload_every
            if not self._attempt(self._make_cut) and self._counters.staged_at is None and not self._counters.problem:
                due_s = monotonic() + _FIRST_TRY_EVERY_S  # no checkpoint yet, or shards that are still fetched
            self._pause(max(0.0, due_s - monotonic()))
        if not self._has_made_last:
            self._attempt(self._make_cut)

    def _follow(self) -> None:
        until_s = None
        while until_s is None or monotonic() < until_s:
            if self._finishes and until_s is None:
                until_s = monotonic() + self._job.settings.upload_every + PARTS_WITHIN_S
            self._attempt(self._serve)
            if self._finishes and self._attempt(self._has_last):
                return
            self._wait(_LOOK_EVERY_S)

    def _attempt(self, step: Callable[[], bool]) -> bool:
        try:
            return step()
        except TacitError as error:
            self._counters.failures += 1
            self._counters.problem = str(error)
            _log.error("cut.failed", error=str(error))
            self._pipe.send(self._counters)
            return False

    def _pause(self, seconds: float) -> None:
        """Wait, or return at once after a request to finish."""
        until_s = monotonic() + seconds
        while not self._finishes and self._pipe.poll(max(0.0, until_s - monotonic())):
            self._finishes = self._pipe.recv() == FINISH

    def _wait(self, seconds: float) -> None:
        """Wait, also after a request to finish."""
        until_s = monotonic() + seconds
        self._pause(seconds)
        time.sleep(max(0.0, until_s - monotonic()))

    def _holds(self) -> bool:
        return self._job.lease.holds

    # The first host

    def _make_cut(self) -> bool:
        self._newest = self._newest or self._bucket.newest()
        for left in reversed(range(TRIES)):
            self._number = max(self._number, self._newest.number if self._newest else 0) + 1
            began_s, made_ms, is_last = monotonic(), time_ns() // 1_000_000, self._finishes
            try:
                found = self._parts_of_all(is_last=is_last) if self._job.hosts > 1 else self._only_part()
            except InconsistentCopiesError:
                if not left:
                    raise
                continue
            if found is None:
                return False
            self._complete(found, made_ms)
            self._has_made_last = is_last
            self._note(began_s, found.bytes)
            return True
        return False

    def _only_part(self) -> "_Parts | None":
        """Send the files of a single host, which knows before what belongs to the cut."""
        staged = self._stage()
        tokens = committed_tokens(staged.path / RECOVERY)
        if not set(tokens.values()) <= staged.checkpoints.keys():  # the run still fetches them
            tokens = {}
        sent = self._upload(staged.only(tokens.values()), self._number) if tokens else None
        shards = chosen_shards([sent.part], tokens) if sent else None
        return _Parts([sent.part], shards, sent.bytes) if sent and shards else None

    def _parts_of_all(self, *, is_last: bool) -> "_Parts | None":
        commit = newest_commit(self._job.folder / RECOVERY) + 1
        request = Request(self._job.local.fence, self._number, self._job.execution, commit, is_last)
        self._bucket.store.put(REQUEST, msgspec.json.encode(request))
        is_at_work = self._await_commit(commit)
        sent = self._upload(self._stage(is_at_work=is_at_work), self._number)
        parts = [sent.part, *(self._await_part(request, host) for host in range(1, self._job.hosts))]
        tokens = self._tokens_of(parts)
        shards = chosen_shards(parts, tokens)
        self._bucket.store.delete(part_key(request, host) for host in range(1, self._job.hosts))
        return _Parts(parts, shards, sent.bytes) if shards else None

    def _await_part(self, request: Request, host: int) -> Part:
        key, until_s = part_key(request, host), monotonic() + PARTS_WITHIN_S
        while (found := self._bucket.store.get(key)) is None:
            if monotonic() > until_s:
                raise ObjectStoreError(f"host {host} sent no part of cut {self._number} within {PARTS_WITHIN_S:g} s")
            self._wait(_LOOK_EVERY_S)
        return Part.decode(found.data, f"{self._bucket.url}/{key}")

    def _tokens_of(self, parts: list[Part]) -> dict[int, Token]:
        """Return the tokens in the recovery stores of all hosts together."""
        with temporary_folder("tacit-parts-") as temporary:
            recovery, archive = temporary / RECOVERY, temporary / "archive"
            recovery.mkdir()
            for number, part in enumerate(parts):
                self._bucket.store.fetch(part.archive.key, archive, part.archive.size, part.archive.checksum)
                unpack(archive, host := temporary / str(number))
                for path in (host / RECOVERY).iterdir():
                    path.rename(recovery / path.name)
            return committed_tokens(recovery)

    def _complete(self, found: "_Parts", made_ms: int) -> None:
        job, parts = self._job, found.parts
        cut = Cut(
            number=self._number,
            fence=job.local.fence,
            made_ms=made_ms,
            run=job.execution,
            state=read_folder_id(job.folder),
            identity=read_identity(job.folder),
            population=max(part.population for part in parts),
            archives=[part.archive for part in parts],
            shards=found.shards,
            begun_from=job.local.begun_from,
        )
        if not self._holds():
            raise OwnershipError(f"the lease on {self._bucket.url} has ended: cut {cut.text} was not completed")
        self._bucket.write(cut)
        self._newest = cut
        replace(job.local, number=cut.number).write(job.folder)

    def _note(self, began_s: float, sent_bytes: int) -> None:
        counters, took_s = self._counters, monotonic() - began_s
        counters.cuts += 1
        counters.bytes += sent_bytes
        counters.size = self._newest.size if self._newest else 0
        counters.staged_at = began_s
        counters.problem = ""
        counters.durations.add(took_s)
        _log.info("cut.completed", cut=self._number, sent_bytes=sent_bytes, seconds=round(took_s, 1))
        self._pipe.send(counters)
        if self._newest:
            self._wipes.follow(self._newest)
        counters.deleted += self._retention.apply().files
        self._pipe.send(counters)

    # All hosts

    def _has_last(self) -> bool:
        """Return True once the last cut is complete: the first host may ask for it more than once."""
        newest = self._bucket.newest() if self._has_made_last else None
        return newest is not None and newest.position >= (self._job.local.fence, self._number)

    def _serve(self) -> bool:
        """Send the part of a new request; return True if there was one."""
        found = self._bucket.store.get(REQUEST)
        request = Request.decode(found.data) if found else Request(0, 0)
        fence = self._job.local.fence
        if request.fence != fence or (request.run, request.number) == self._served:
            return False
        if request.is_last and not self._finishes:
            return False  # the processes of this host still run
        self._newest = self._bucket.newest()
        if self._newest is None or self._newest.position < (fence, request.number):
            self._send_part(request)  # otherwise, the process before this one did
        self._number, self._served = request.number, (request.run, request.number)  # not before: the part is awaited
        self._has_made_last = request.is_last
        return True

    def _send_part(self, request: Request) -> None:
        is_at_work = self._await_commit(request.commit)
        sent = self._upload(self._stage(is_at_work=is_at_work), request.number)
        self._bucket.store.put(part_key(request, self._job.host), msgspec.json.encode(sent.part))
        self._counters.bytes += sent.bytes
        self._counters.problem = ""
        self._pipe.send(self._counters)

    def _await_commit(self, commit: int) -> bool:
        """Wait for a commit, which all hosts see at about the same moment, or for the end of the run.

        Return True if the commit came meanwhile: then the processes of this host had all of its shards open.

        Raises:
            StateError: the run commits nothing.
        """
        until_s = monotonic() + _COMMIT_AFTER_S + 2 * self._job.settings.checkpoint_every
        has_waited = False
        while not self._finishes:
            if newest_commit(self._job.folder / RECOVERY) >= commit:
                return has_waited
            has_waited = True
            if monotonic() > until_s:
                raise StateError("the run makes no checkpoints at the moment: the next cut tries again")
            self._pause(_LOOK_FOR_COMMIT_S)
        return False

    def _stage(self, *, is_at_work: bool = False) -> Staged:
        """Stage the shards that this host has open; at the end of a run, none is open, and all may be this host's."""
        folder = self._job.folder
        shards = local_shards(folder / SHARDS)
        staged = stage(folder, {shard.shard for shard in shards if self._finishes or shard.is_open})
        if is_at_work:
            self._foreign.sweep(shards)
        return staged

    def _upload(self, staged: Staged, number: int) -> Uploaded:
        try:
            return self._uploader.upload(staged, known_tables(self._newest), self._job.local.fence, number)
        finally:
            shutil.rmtree(self._job.folder / CUT, ignore_errors=True)
