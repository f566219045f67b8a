"""What a monitoring system sees of a process: /metrics and /healthz over HTTP."""

from collections.abc import Mapping
from http.client import HTTPConnection

from prometheus_client.parser import text_string_to_metric_families


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
    """Return status and body."""
    connection = HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def health(port: int) -> int:
    """Return the status of /healthz; 0 where nobody listens."""
    try:
        return get(port, "/healthz")[0]
    except ConnectionError:
        return 0


def scrape(port: int) -> dict[str, float]:
    """Return every sample of /metrics by its name and labels, as in `tacit_events_total{outcome="accepted"}`."""
    status, body = get(port, "/metrics")
    assert status == 200
    samples = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]
    return {sample.name + _labels(sample.labels): sample.value for sample in samples}


def _labels(labels: Mapping[str, str]) -> str:
    text = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{{{text}}}" if text else ""
