"""Parts that all requests of a process share."""

import asyncio
from collections.abc import Callable, Coroutine
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import lru_cache
from threading import Thread
from typing import Any, TypeVar

from dataflows.control.sending import source_of
from dataflows.settings import Settings
from state.errors import SinkError
from tacit import Adaptation, AsyncSignalReader, pseudonym
from tacit.contract.catalogue import Catalogue
from tacit.contract.keys import RegionKeys
from tacit.reader.transport import AsyncTransport
from tacit_service.access.callers import Callers
from tacit_service.access.jwt_tokens import JwtTokens
from tacit_service.access.key_file import KeyFile
from tacit_service.access.links import Links
from tacit_service.access.rates import Rates
from tacit_service.change_stream import ChangeStream
from tacit_service.event_log import EventLog, Line, event_log
from tacit_service.http.operations import not_configured
from tacit_service.http.problems import ProblemError
from tacit_service.metrics import Metrics
from tacit_service.pending import Pending
from tacit_service.shared_reads import SharedReads

_THREADS = 32
_MAX_BLOCKING = 64
"""Most calls that wait for a thread or run in one."""
_MAX_BACKGROUND = 32
_WRITE_S = 30.0

Result = TypeVar("Result")


class Service:
    """Shared parts: settings, catalogue, reader, event log, callers, rates, threads and metrics.

    Args:
        settings: settings of the service.

    Raises:
        ConfigurationError: a file of the settings cannot be read.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.catalogue = Catalogue.load(settings.catalogue)
        self.secret = settings.secret_bytes
        self.region_keys = RegionKeys(settings.region)
        self.public_url = (settings.public_url or f"http://{settings.listen}").rstrip("/")
        self.links = None if settings.link_secret is None else Links(settings.link_secret)
        self.metrics = Metrics()
        self.user_rates = Rates(settings.rate_user, "user")
        tokens = None if settings.jwks is None else JwtTokens.of(settings)
        keys = None if settings.keys is None else KeyFile(settings.keys)
        token_rates = Rates(settings.rate_token, "token")
        self.callers = Callers(tuple(each for each in (keys, tokens) if each is not None), token_rates)
        self.metrics.rates = token_rates, self.user_rates, self.callers.invalid_rates
        self.namespace = settings.namespace if "namespace" in settings.given else None
        """Namespace to read; None: the active one."""
        self.reader = AsyncSignalReader(
            settings.redis,
            region=settings.region,
            secret=self.secret,
            catalogue=self.catalogue,
            namespace=self.namespace,
        )
        self._reads = SharedReads(self.reader)
        self.redis = AsyncTransport(settings.redis)
        """Transport for the keys that the reader does not read; it never raises an error for a failing Redis."""
        self.pending = Pending()
        self.changes = ChangeStream(self.redis, self.region_keys, self.namespace)
        self.metrics.streams = lambda: self.changes.readers
        self._works: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._tasks: list[asyncio.Task[None]] = []
        self._log: EventLog | None = None
        self._threads = ThreadPoolExecutor(_THREADS, "blocking")
        self._blocking = self._background = 0
        self.settings_of = lru_cache(256)(self._settings_of)
        """Return the settings with an operator: the name of the caller in the audit."""

    def run_along(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run a coroutine in the event loop, from the start of the service to its stop, which cancels it."""
        self._works.append(work)

    def start(self) -> None:
        """Start the threads and the coroutines."""
        self._tasks = [asyncio.create_task(work()) for work in self._works]
        if self.settings.source is not None:
            self._log = event_log(source_of(self.settings))

    async def stop(self) -> None:
        """Write the events that wait, and close all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._log is not None:
            await asyncio.to_thread(self._log.close)
        self._threads.shutdown(wait=False, cancel_futures=True)
        await self.reader.close()
        await self.redis.close()

    @property
    def log(self) -> EventLog:
        """The event log.

        Raises:
            ProblemError: the settings name no source.
        """
        if self._log is None:
            raise not_configured("--source, the source of the workers")
        return self._log

    def require_log(self) -> None:
        """Check that the settings name a source; ProblemError: they do not."""
        _ = self.log

    @property
    def has_log(self) -> bool:
        """True if the settings name a source."""
        return self._log is not None

    def write(self, key: bytes, data: bytes) -> None:
        """Write a control event, and return when it is acknowledged; for threads of `in_thread`.

        Raises:
            SinkError: the source did not acknowledge it.
        """
        written = self.log.append((Line(key, data),))
        try:
            written.result(_WRITE_S)
        except TimeoutError:
            written.cancel()
            raise SinkError(f"{self.log.name}: did not acknowledge an event within {_WRITE_S:g} s") from None

    def pseudonym(self, user_id: str) -> bytes:
        """Return the pseudonym of a user."""
        return pseudonym(user_id, self.secret, self.catalogue.identity)

    def count_user(self, user: bytes) -> None:
        """Count a request about a user.

        Raises:
            ProblemError: the rate of the user is exceeded.
        """
        self.user_rates.take(user)

    async def read(self, user_id: str) -> Adaptation:
        """Return the adaptation of a user, and count the read by its status."""
        adaptation = await self._reads.get(user_id)
        self.metrics.reads[adaptation.status] += 1
        return adaptation

    async def in_thread(self, function: Callable[[], Result]) -> Result:
        """Run a function that blocks.

        Raises:
            ProblemError: too many calls wait for a thread.
        """
        if self._blocking >= _MAX_BLOCKING:
            raise _busy()
        self._blocking += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._threads, function)
        finally:
            self._blocking -= 1

    def in_background(self, function: Callable[[], Result]) -> "asyncio.Future[Result]":
        """Run a long function in a new thread, without a wait at the end of the service.

        Raises:
            ProblemError: too many of them run.
        """
        if self._background >= _MAX_BACKGROUND:
            raise _busy()
        self._background += 1
        done: Future[Result] = Future()

        def run() -> None:
            try:
                done.set_result(function())
            except BaseException as error:
                done.set_exception(error)

        done.set_running_or_notify_cancel()  # from here on, a client that leaves cannot cancel it
        Thread(target=run, name="background", daemon=True).start()
        found = asyncio.wrap_future(done)
        found.add_done_callback(self._end_background)
        return found

    def _end_background(self, _: object) -> None:
        self._background -= 1

    def _settings_of(self, operator: str) -> Settings:
        return replace(self.settings, operator=operator)


def _busy() -> ProblemError:
    return ProblemError("unavailable", "The service is busy; send it again.", headers={"Retry-After": "1"})
