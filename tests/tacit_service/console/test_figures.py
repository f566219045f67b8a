"""Status and figures of the console, from a real worker, from memory and from a real Prometheus."""

import json
import re
from typing import Any

import pytest
import redis

from tacit.contract.keys import RegionKeys
from tacit_service.console.charts import CHARTS, PARITY
from tests.support.conditions import eventually
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.ports import free_port
from tests.support.prometheus_server import prometheus
from tests.tacit_service.console.deployment import Deployment, serving

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]

SILENT = {"answers", "reads", "readiness", "parity"}
"""Charts without a line in a deployment that is well and that no assistant asks."""


def figures(deployment: Deployment, cookie: str, span: str = "hour") -> dict[str, Any]:
    """Return the document of the figures."""
    found = deployment.get(f"/console/figures?span={span}", cookie)
    assert found.status == 200, found.text
    document: dict[str, Any] = json.loads(found.text)
    return document


def newest(found: dict[str, Any], chart: str) -> dict[str, float | None]:
    """Return the newest value of each line of a chart."""
    return {line["name"]: line["values"][-1] for line in found["charts"][chart]}


def test_figures_of_a_worker_are_remembered(deployment: Deployment) -> None:
    cookie = deployment.login("operator")

    def has_learned() -> bool:
        charts = figures(deployment, cookie)["charts"]
        return all(charts[chart.key] for chart in CHARTS if chart.key not in SILENT)

    eventually(has_learned, within_s=20, what="a value of each chart")
    eventually(lambda: newest(figures(deployment, cookie), "lag") == {"lag": 0}, within_s=20, what="no lag")
    found = figures(deployment, cookie)
    assert (found["source"], found["problem"]) == ("memory", "")
    assert set(found["charts"]) == {chart.key for chart in CHARTS}
    assert all(len(line["values"]) == len(found["times_s"]) for lines in found["charts"].values() for line in lines)
    assert {"deployed", "constant"} <= set(newest(found, "loss"))
    assert {"uplift", "lower end", "upper end"} == set(newest(found, "uplift"))
    assert {"invalid", "late", "control event: invalid"} & set(newest(found, "rejects"))
    assert found["charts"][PARITY.key] == []


def test_status_names_health_versions_and_namespaces(deployment: Deployment) -> None:
    keys = RegionKeys("eu")
    with redis.Redis.from_url(deployment.redis) as client:
        client.sadd(keys.namespaces, "shadow", "no name")
        client.set(keys.previous, "earlier")
    text = deployment.get("/console/status", deployment.login("operator")).text
    rows = re.findall(r'<th scope="row"><code>(.+)</code></th>\n<td>(?:<span.*?>)?(.+?)<', text)
    assert rows == [("live", "active"), ("earlier", "previous"), ("shadow", "–")]
    assert "All is well" in text
    assert f"127.0.0.1:{deployment.metrics}" in text
    assert "all facets" in text
    assert "version 1, 5 facets" in text


def test_only_known_spans_are_read(deployment: Deployment) -> None:
    cookie = deployment.login("operator")
    for span in ("day", "up", "1h", ""):
        assert deployment.get(f"/console/figures?span={span}", cookie).status == 400


def test_prometheus_has_the_same_figures(deployment: Deployment) -> None:
    """Until Prometheus answers, the figures are those of memory; a worker that does not answer is a problem."""
    targets = [{"targets": [f"127.0.0.1:{deployment.metrics}"]}]
    scrape = {"scrape_interval": "1s", "scrape_timeout": "1s"}
    config = {"global": scrape, "scrape_configs": [{"job_name": "tacit", "static_configs": targets}]}
    absent = f"http://127.0.0.1:{free_port()}"
    with prometheus(config, deployment.folder) as server:
        options = ("--prometheus", server.url, "--worker-metrics", absent)
        with serving(deployment, *options) as other:
            cookie = other.login("operator")
            text = other.get("/console/status", cookie).text
            assert "1 part is not well" in text
            assert absent.removeprefix("http://") in text
            eventually(lambda: figures(other, cookie)["charts"]["loss"], within_s=30, what="a scrape in a figure")
            found = figures(other, cookie)
            assert (found["source"], found["problem"]) == ("prometheus", "")
            assert newest(found, "loss") == pytest.approx(
                newest(figures(deployment, deployment.login("operator")), "loss"), rel=0.2
            )
            assert [figures(other, cookie, span)["source"] for span in ("day", "week")] == ["prometheus"] * 2
