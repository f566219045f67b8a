"""Status of the deployment: health of service and workers, versions, namespaces and proof."""

from datetime import UTC, datetime
from typing import NamedTuple

from state.learning.user_model import MODEL_VERSION
from tacit_cli.versions import versions
from tacit_service.api.health import unready_reasons
from tacit_service.console.namespaces import NamespaceReader, Namespaces
from tacit_service.console.polling import Poller, Reason, WorkerHealth
from tacit_service.console.prometheus import Prometheus, PrometheusError
from tacit_service.console.proof_rows import ProofRows, proof_rows
from tacit_service.service import Service


class Status(NamedTuple):
    """Status at one moment."""

    at: str
    service: tuple[str, ...]
    """Reasons for which the service is not ready."""
    workers: tuple[WorkerHealth, ...]
    no_workers: str
    """Reason why no worker is known."""
    namespaces: Namespaces
    proof: ProofRows | None
    versions: tuple[tuple[str, str], ...]

    @property
    def problems(self) -> int:
        """Number of parts that are not well."""
        ill = [worker for worker in self.workers if worker.reasons or not worker.answers]
        return len(self.service) + len(ill)


class StatusReader:
    """Reader of the status.

    Args:
        service: shared parts.
        poller: regular look at the workers.
        prometheus: server to ask about workers that the poller does not know.
    """

    def __init__(self, service: Service, poller: Poller, prometheus: Prometheus | None) -> None:
        self._service = service
        self._poller = poller
        self._prometheus = prometheus
        self._namespaces = NamespaceReader(service)

    async def read(self) -> Status:
        """Return the status."""
        service = self._service
        workers, no_workers = await self._workers()
        namespaces = await self._namespaces.read()
        active = namespaces.active
        proof = None if active is None or active.proof is None else proof_rows(active.proof)
        catalogue = service.catalogue
        return Status(
            datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S UTC"),
            tuple(await unready_reasons(service)),
            tuple(workers),
            no_workers,
            namespaces,
            proof,
            (
                ("Service", versions()),
                ("Model code", f"version {MODEL_VERSION}"),
                ("Catalogue", f"version {catalogue.version}, {len(catalogue.facets)} facets"),
                ("Region", service.settings.region),
            ),
        )

    async def _workers(self) -> tuple[list[WorkerHealth], str]:
        if self._service.settings.worker_metrics:
            return self._poller.workers, "The first look at the workers has not ended."
        prometheus = self._prometheus
        if prometheus is None:
            return [], "Set --worker-metrics or --prometheus to see the workers."
        try:
            found = await self._service.in_thread(lambda: _asked(prometheus))
        except PrometheusError:
            return [], "Prometheus does not answer."
        return found, "Prometheus knows no worker."


def _asked(prometheus: Prometheus) -> list[WorkerHealth]:
    """Return the health of the workers that a Prometheus knows."""
    found: dict[str, list[Reason]] = {address: [] for address in prometheus.ready()}
    for address, reason in prometheus.unready():
        found.setdefault(address, []).append(Reason(reason))
    return [WorkerHealth(address, True, tuple(reasons)) for address, reasons in sorted(found.items())]
