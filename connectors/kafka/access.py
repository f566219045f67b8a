"""Access to a cluster: the network client of kafka-python, which ends at once when brokers refuse it.

Before the first connection to a broker of the cluster, a refusal is an error of the call that connects. After that, the
client retries: a renewed certificate or password on the broker's side ends the refusal, and the log shows it meanwhile.
"""

from collections.abc import Callable
from threading import Lock, Thread
from time import monotonic
from typing import Any

from kafka.errors import KafkaConnectionError, KafkaTimeoutError, RequestTimedOutError  # type: ignore[import-untyped]
from kafka.net.compat import KafkaNetClient  # type: ignore[import-untyped]
from kafka.net.manager import KafkaConnectionManager  # type: ignore[import-untyped]
from kafka.net.selector import NetworkSelector  # type: ignore[import-untyped]

from connectors.kafka.client_options import ClientOptions
from connectors.kafka.probe import refusal
from connectors.outage import OutageLog
from tacit.errors import TacitError

_PROBE_EVERY_S = 5.0


def net_client(client: ClientOptions, on_connection: Callable[[], object] = lambda: None, **configs: Any) -> Any:
    """Return the network client for the option `kafka_client` of consumers, producers and admin clients.

    The client's thread calls `on_connection` for each new connection to a broker, before the first answer on it.
    """
    net = NetworkSelector(**configs)
    return KafkaNetClient(net=net, manager=_Manager(client, on_connection, net, **configs))


class _Manager(KafkaConnectionManager):  # type: ignore[misc]  # an untyped base
    """Connections that find the reason of a refusal."""

    def __init__(self, client: ClientOptions, on_connection: Callable[[], object], net: Any, **configs: Any) -> None:
        super().__init__(net, **configs)
        self._client = client
        self._on_connection = on_connection
        self._refusals: dict[Any, TacitError] = {}
        self._failed: set[Any] = set()
        self._reached = False
        self._outages = OutageLog("kafka_access")
        self._probing = Lock()
        self._probed_s = 0.0

    async def _do_bootstrap(self, deadline: float | None) -> Any:
        try:
            return await super()._do_bootstrap(deadline)
        except KafkaTimeoutError:
            if self._refusals:
                raise next(iter(self._refusals.values())) from None
            raise

    async def _build_transport(self, node: Any, timeout_at: float | None = None) -> Any:
        try:
            transport = await super()._build_transport(node, timeout_at=timeout_at)
        except KafkaConnectionError as error:
            # The requests that wait for this connection get the reason.
            found = None if self._reached else refusal(node.host, node.port, self._client)
            raise found or error from error
        self._on_connection()
        return transport

    async def _connect(self, node: Any, conn: Any, **options: Any) -> None:
        await super()._connect(node, conn, **options)
        failure = conn.init_future
        if self.closed:
            return
        if failure.failed():
            self._explain(node, failure.exception)
            self._fail(node)
            return
        if not self.cluster.is_bootstrap(node.node_id):
            self._reached = True
            self._outages.recovered()
        elif not self._client.uses_sasl:
            # A listener with SASL answers the greeting, and then closes the connection.
            conn.close_future.add_errback(lambda _: self._closed_early(node))

    def _closed_early(self, node: Any) -> None:
        if not self.closed and not self.bootstrapped:
            self._explain(node, None)
            self._fail(node)

    def _fail(self, node: Any) -> None:
        """Make a refusal an error of the next call, once no broker of the same kind is left to try."""
        if self._reached:
            return
        self._failed.add(node.node_id)
        is_bootstrap = self.cluster.is_bootstrap(node.node_id)
        brokers = self.cluster.bootstrap_brokers() if is_bootstrap else self.cluster.brokers()
        numbers = {each.node_id for each in brokers}
        if self._refusals and numbers <= self._failed:
            error = next(iter(self._refusals.values()))
            self._auth_failures.update(dict.fromkeys(numbers, error))

    def _explain(self, node: Any, failure: BaseException | None) -> None:
        if isinstance(failure, KafkaTimeoutError | RequestTimedOutError):
            return  # a broker that is down
        if not self._reached:
            known = failure if isinstance(failure, TacitError) else None
            if error := known or refusal(node.host, node.port, self._client):
                self._refusals[node.node_id] = error
        elif monotonic() >= self._probed_s + _PROBE_EVERY_S and self._probing.acquire(blocking=False):
            Thread(target=self._explain_in_background, args=(node,), name="kafka-probe", daemon=True).start()

    def _explain_in_background(self, node: Any) -> None:
        try:
            if error := refusal(node.host, node.port, self._client):
                self._outages.failed(cause=str(error), error=str(error))
        finally:
            self._probed_s = monotonic()
            self._probing.release()
