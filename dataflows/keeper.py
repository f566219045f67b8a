"""Keeper of a live run's place in Redis: one thread of the main process that looks four times a second.

Each look extends the lease, shows whether Redis answers, and compares the keys in Redis with those of earlier looks.
After a loss of data (FLUSHALL, a restart without a file) the keeper puts these keys back at once, and lets the shards
write their signals again. A server that has started, or a replica that took over, may lack the newest writes without
any other trace: the keeper treats it like a loss, as newer data is not overwritten.
"""

from contextlib import closing
from threading import Event, Thread
from types import TracebackType
from typing import Self

import structlog

from connectors.population.file_store import FILE_NAME, read_version
from connectors.redis.ownership import LEASE_MS, RENEW_MS, Held, Names, NamespaceOwner
from dataflows.lease import now_s
from dataflows.observability.watch import REDIS, Watch
from dataflows.ownership import Ownership, namespace_owner
from dataflows.population_run import population_store
from dataflows.restoring import Restoring
from state.catalogue.numbered import NumberedCatalogue
from state.errors import OwnershipError, SinkError
from state.learning.population_prior import Prior
from state.learning.population_version import PopulationVersion
from state.learning.signals import population_write
from tacit.contract.pseudonyms import fingerprint
from tacit.errors import TacitError

LOOK_EVERY_S = 0.25
_LEASE_S = (LEASE_MS - RENEW_MS) / 1000
"""Rest of the lease that Redis grants at least, at each look."""

_FLUSHED, _RESTARTED = "redis.flushed", "redis.restarted"

_log = structlog.get_logger(__name__)


class Keeper:
    """Context in which a thread looks after a run's lease and its keys.

    Args:
        ownership: hold of the run on its namespace.
        watch: watch over the run.
        leads: False on further hosts, which extend their own lease alone.
    """

    def __init__(self, ownership: Ownership, watch: Watch, *, leads: bool = True) -> None:
        self._leads = leads
        self._ownership = ownership
        self._settings = ownership.job.settings
        self._watch = watch
        self._end = Event()
        self._restoring = Restoring(ownership.loss, watch, self._settings.shards, self._settings.namespace)
        self._until_ms = 1
        """Stored end of the lease at the last look, which no renewal lowers."""
        self._has_looked = False
        self._is_lost = False
        """True from a loss of data until the keys are back."""
        self._seen = self._names = Names()
        """Names at the last look, and those that the look after it confirmed: no loss came between."""
        self._kept: PopulationVersion | None = None

    def __enter__(self) -> Self:
        settings = self._settings
        store = namespace_owner(settings, settings.region, settings.namespace, retry_for_s=0.0)
        self._thread = Thread(target=self._run, args=(store,), name="keeper", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end.set()
        self._thread.join()

    def _run(self, store: NamespaceOwner) -> None:
        with closing(store):
            while not self._end.wait(LOOK_EVERY_S):
                try:
                    self._look(store)
                except SinkError as error:
                    self._watch.fail(REDIS, str(error))
                except TacitError as error:  # a damaged file: the run itself reports such an error
                    _log.warning("keeper.failed", error=str(error))
                else:
                    self._watch.clear(REDIS)

    def _look(self, store: NamespaceOwner) -> None:
        store.ping()
        run = self._ownership.run
        if not run or self._ownership.lease.is_lost:
            return
        if not self._has_looked:
            self._seen = self._names = self._ownership.names
        began_s = now_s()
        held = store.renew(run, self._ownership.state)
        if held.other and not self._leads:
            return  # the first host started again, or has to take the namespace again: its plan has the holder
        if held.other and self._ownership.follows(held):  # Redis came back with data from before this run
            self._note_loss(_FLUSHED)
            held = store.take(run, self._ownership.state, instead_of=held.other)
        if held.other:
            namespace = self._settings.namespace
            self._ownership.lose(f"another run took namespace {namespace}, as the lease of this run had ended")
            return
        self._ownership.lease.extend(began_s + _LEASE_S)
        if not self._leads:
            return
        self._compare(held, store.instances())
        if self._is_lost:
            self._put_back(store)
            self._is_lost = False
        else:
            self._remember(store)
            self._continue_restoration(store)
            self._complete(store)
        self._has_looked = True

    def _compare(self, held: Held, instances: frozenset[str]) -> None:
        """Note a loss if Redis may have lost data since the last look."""
        owned = self._ownership
        if held.taken_ms != owned.taken_ms or held.until_ms < self._until_ms:
            self._note_loss(_FLUSHED)
        elif owned.instances and not instances <= owned.instances:
            self._note_loss(_RESTARTED)
        owned.taken_ms, self._until_ms = held.taken_ms, max(held.until_ms, 1)
        owned.instances |= instances

    def _note_loss(self, event: str) -> None:
        """Let all shards write their signals, and the next steps put back the keys of the run and of the region."""
        if not self._is_lost:
            self._is_lost = True
            self._restoring.begin()
            _log.error(event, namespace=self._settings.namespace, advice="the run writes its signals again")

    def _continue_restoration(self, store: NamespaceOwner) -> None:
        """End a restoration that is complete; begin the one that an earlier run did not end."""
        missing = self._ownership.missing
        if not self._has_looked and (missing or store.is_restoring):
            reason = missing or "an earlier run did not end the restoration"
            _log.warning("redis.restoring", namespace=self._settings.namespace, reason=reason)
            self._restoring.begin()
        elif self._restoring.is_complete:
            store.end_restoration()
            self._restoring.end()
            self._ownership.note_redis()

    def _complete(self, store: NamespaceOwner) -> None:
        """End the fillings that the run continues, once it has caught up and all signals are in Redis."""
        if self._ownership.marks and self._watch.has_caught_up and not self._restoring.is_running:
            store.fillings.complete_live(self._ownership.marks)
            self._ownership.marks = ()

    def _keep_secret(self, store: NamespaceOwner) -> bool:
        """Compare or put back the fingerprint of the secret; another secret ends the run."""
        try:
            store.secret.keep(fingerprint(self._settings.secret_bytes))
        except OwnershipError as error:
            self._ownership.lose(str(error))
            return False
        return True

    def _remember(self, store: NamespaceOwner) -> None:
        """Compare and keep the keys that no other writer puts back."""
        if not self._keep_secret(store):
            return
        self._names = self._seen
        found, mine = store.names(), self._settings.namespace
        if mine in self._names.namespaces and mine not in found.namespaces:
            store.register(frozenset({mine}))
        self._seen = found._replace(namespaces=found.namespaces | (self._names.namespaces & {mine}))
        if self._settings.population_version and self._kept is None:
            with closing(population_store(self._settings, self._settings.region, mine, retry_for_s=0.0)) as versions:
                self._kept = versions.fetch(self._settings.population_version)

    def _put_back(self, store: NamespaceOwner) -> None:
        """Put back the keys of the run and of the region; after an error, the next look begins again."""
        store.begin_restoration()
        if not self._keep_secret(store):
            return
        store.fillings.keep_live(self._ownership.marks)
        self._seen = self._names
        store.register(self._names.namespaces)
        if self._names.active:
            store.keep_active(self._names.active)
        try:
            self._put_back_population()
        except SinkError:
            raise
        except TacitError as error:  # a damaged file: the run itself reports such an error
            _log.warning("keeper.failed", error=str(error))

    def _put_back_population(self) -> None:
        settings, catalogue = self._settings, NumberedCatalogue.load(self._settings.catalogue)
        with closing(population_store(settings, settings.region, settings.namespace, retry_for_s=0.0)) as versions:
            if self._kept is not None:
                versions.pin(self._kept.n, catalogue, self._kept)
            elif settings.state and settings.population == "learn":
                version = read_version(settings.state / FILE_NAME)
                if version is not None:
                    versions.publish(population_write(Prior(catalogue, version), version), fill=False)
