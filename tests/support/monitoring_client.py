"""Client of /metrics and /healthz of a process."""

from collections.abc import Mapping
from http.client import HTTPConnection

from prometheus_client.parser import text_string_to_metric_families


def get(port: int, path: str, host: str = "127.0.0.1") -> tuple[int, bytes]:
    """Return the status and the body of a path."""
    connection = HTTPConnection(host, port, timeout=10)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def health(port: int) -> int:
    """Return the status of /healthz; 0 if no server listens."""
    try:
        return get(port, "/healthz")[0]
    except ConnectionError:
        return 0


def scrape(port: int) -> dict[str, float]:
    """Return each sample of /metrics by name and labels, as in `tacit_events_total{outcome="accepted"}`."""
    status, body = get(port, "/metrics")
    assert status == 200
    samples = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]
    return {sample.name + _labels(sample.labels): sample.value for sample in samples}


def _labels(labels: Mapping[str, str]) -> str:
    text = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"{{{text}}}" if text else ""
