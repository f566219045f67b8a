"""deploy/alerts.yml: every rule asks for a metric that a process serves."""

import re
from pathlib import Path

import yaml

from dataflows.observability.metrics import registry
from state.counters import Counters
from state.learning.proof_report import encode_report
from tests.support.sample_proof import REPORT

FILE = Path(__file__).resolve().parents[2] / "deploy" / "alerts.yml"


def test_alert_rules_ask_for_metrics_that_exist() -> None:
    """A rule on a metric that was renamed would never fire."""
    counters = Counters()
    counters.events.repaired["forget", "at"] += 1
    counters.learning.proof = encode_report(REPORT)
    served = {sample.name: set(sample.labels) for family in registry(counters).collect() for sample in family.samples}
    rules = [rule for group in yaml.safe_load(FILE.read_text())["groups"] for rule in group["rules"]]
    assert len({rule["alert"] for rule in rules}) == len(rules) >= 4
    for rule in rules:
        (name,) = re.findall(r"tacit_\w+", rule["expr"])
        assert name in served
        labels = re.findall(r"by \(([^)]*)\)", rule["expr"]) + re.findall(r"\{(\w+)=", rule["expr"])
        assert {label.strip() for some in labels for label in some.split(",")} <= served[name]
        assert rule["annotations"]["summary"]
