"""Regular look at the metrics and the readiness of the workers, and at the metrics of the service itself."""

import asyncio
from collections.abc import Iterable
from contextlib import suppress
from time import time
from urllib.parse import urlsplit

import msgspec
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from tacit_service.console.history import EVERY_S, History
from tacit_service.http.fetching import fetch
from tacit_service.http.problems import ProblemError
from tacit_service.service import Service

_TIMEOUT_S = 2.0
_MAX_BYTES = 4 << 20


class Reason(msgspec.Struct, frozen=True):
    """Reason for which a process is not ready."""

    reason: str
    since: str = ""
    """UTC, as in 2026-11-29T21:00:00Z; empty: unknown."""
    detail: str = ""


class WorkerHealth(msgspec.Struct, frozen=True):
    """Health of a process of a worker."""

    address: str
    """HOST:PORT."""
    answers: bool
    reasons: tuple[Reason, ...] = ()


class _Body(msgspec.Struct, frozen=True):
    """Body of a worker's /readyz."""

    reasons: list[Reason] = []


_decode = msgspec.json.Decoder(_Body).decode


class Poller:
    """Regular look at some processes, each `EVERY_S` seconds.

    Args:
        service: shared parts, with the addresses in its settings.
        history: history that gets the samples.
    """

    def __init__(self, service: Service, history: History) -> None:
        self._service = service
        self._history = history
        self._wanted = tuple(history.samples)
        self._urls = [url.rstrip("/").removesuffix("/metrics") for url in service.settings.worker_metrics]
        self.workers: list[WorkerHealth] = []
        """Health of each process, by the last look."""

    async def run(self) -> None:
        """Look until the task is cancelled."""
        while True:
            with suppress(ProblemError):  # all threads are busy: the next look may find one
                await self._service.in_thread(self.look)
            await asyncio.sleep(EVERY_S)

    def look(self) -> None:
        """Look once; for a thread."""
        processes: dict[str, Iterable[Sample]] = {
            "service": [sample for family in self._service.metrics.collect() for sample in family.samples]
        }
        workers = []
        for url in self._urls:
            address = urlsplit(url).netloc
            try:
                processes[url] = self._samples(url)
                workers.append(WorkerHealth(address, True, _reasons(url)))
            except (OSError, ValueError, msgspec.MsgspecError):
                workers.append(WorkerHealth(address, False))
        self._history.add(time(), processes)
        self.workers = workers

    def _samples(self, url: str) -> list[Sample]:
        status, data = fetch(f"{url}/metrics", timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES)
        if status != 200:
            raise ValueError(f"status {status}")
        lines = data.decode().splitlines()
        wanted = "\n".join(line for line in lines if line.startswith(self._wanted)) + "\n"  # parsing is slow
        return [sample for family in text_string_to_metric_families(wanted) for sample in family.samples]


def _reasons(url: str) -> tuple[Reason, ...]:
    _, data = fetch(f"{url}/readyz", timeout_s=_TIMEOUT_S, max_bytes=_MAX_BYTES)
    return tuple(_decode(data).reasons)
