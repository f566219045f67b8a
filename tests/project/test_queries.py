"""Every query of the dashboard and every rule on a real Prometheus that scrapes a real run: each returns data."""

import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from tests.support.conditions import eventually
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.monitored_run import monitored_run
from tests.support.prometheus_server import PROJECT, Prometheus, promtool

__all__ = ["promtool"]

pytestmark = KAFKA_TEST

WITHIN_S = 20
DEPLOY = PROJECT / "deploy"


def shown_queries() -> dict[str, str]:
    """Return the queries of the dashboard, with the variables of Grafana replaced, by panel."""
    dashboard = json.loads((DEPLOY / "grafana" / "dashboards" / "tacit.json").read_text())
    return {
        f"{panel['title']} {target['refId']}": target["expr"].replace("$__rate_interval", "1m").replace("$job", "tacit")
        for panel in dashboard["panels"]
        for target in panel.get("targets", [])
    }


def rule_queries() -> Iterator[tuple[str, str]]:
    """Yield the expression of each rule; with `bool`, a comparison is 0 or 1 and hides no sample."""
    for name in ("objectives.yml", "alerts.yml"):
        for group in yaml.safe_load((DEPLOY / name).read_text())["groups"]:
            for rule in group["rules"]:
                yield (
                    rule.get("alert") or rule["record"],
                    re.sub(r"(?<= )([<>]=?|==|!=)(?= )", r"\1 bool", rule["expr"]),
                )


def has_data(server: Prometheus, query: str) -> bool:
    """Return whether a query has samples, and each is a number."""
    samples = server.query(query)
    return bool(samples) and all(math.isfinite(float(sample["value"][1])) for sample in samples)


def test_every_query_and_rule_returns_data(
    kafka: Kafka, promtool: Path, refused_connections: None, tmp_path: Path
) -> None:
    """A metric that was renamed, a wrong label or a function of the wrong type would leave a panel empty for good."""
    waiting = {**shown_queries(), **dict(rule_queries())}
    assert len(waiting) > 80
    with monitored_run(kafka, tmp_path) as server:

        def all_have_data() -> bool:
            for name in [name for name, query in waiting.items() if has_data(server, query)]:
                del waiting[name]
            return not waiting

        try:
            eventually(all_have_data, within_s=WITHIN_S, what="data")
        except AssertionError as error:
            raise AssertionError(f"{error} of {waiting}") from None
        rules = server.rules()
        assert {rule["health"] for rule in rules} == {"ok"}, [rule for rule in rules if rule["health"] != "ok"]
