"""Rules of deploy/: promtool checks and tests them, and each alert has its section in the runbook.

tests/project/test_queries.py runs each expression on a real Prometheus.
"""

import re
import subprocess
from pathlib import Path
from typing import Any

import yaml

from tests.support.pages import ROOT
from tests.support.prometheus_server import promtool

__all__ = ["promtool"]

DEPLOY = ROOT / "deploy"
RUNBOOK = ROOT / "docs" / "guides" / "runbook.md"
PARTS = ("Means", "Users feel", "Look at", "Do")


def rules(name: str) -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load((DEPLOY / name).read_text())["groups"] for rule in group["rules"]]


ALERTS = rules("alerts.yml")
NAMES = [rule["alert"] for rule in ALERTS]


def checked(promtool: Path, *words: str) -> str:
    """Run promtool in deploy/, and return its output; fail with it."""
    done = subprocess.run([promtool, *words], cwd=DEPLOY, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_configuration_and_rules_are_valid(promtool: Path) -> None:
    """The configuration names the files of the rules."""
    printed = checked(promtool, "check", "config", "prometheus.yml")
    assert re.findall(r"SUCCESS: (\d+) rules found", printed) == [str(len(rules("objectives.yml"))), str(len(ALERTS))]


def test_rules_pass_their_tests(promtool: Path) -> None:
    """Alerts fire and stay quiet when they should; objectives have the right values."""
    checked(promtool, "test", "rules", "alerts_test.yml")


def test_each_alert_has_a_test_in_which_it_fires_and_one_in_which_it_is_quiet() -> None:
    """An alert that always fires, or never does, would pass half of them."""
    tests = yaml.safe_load((DEPLOY / "alerts_test.yml").read_text())["tests"]
    cases = [(case["alertname"], "exp_alerts" in case) for test in tests for case in test.get("alert_rule_test", [])]
    assert set(cases) == {(name, fires) for name in NAMES for fires in (True, False)}
    shown = {sample["expr"] for test in tests for sample in test.get("promql_expr_test", [])}
    assert shown == {rule["record"] for rule in rules("objectives.yml")}


def test_each_alert_has_a_section_in_the_runbook_and_each_section_an_alert() -> None:
    """In the order of the rules, with the same four parts."""
    assert len(set(NAMES)) == len(NAMES)
    sections = re.split(r"^## ", RUNBOOK.read_text(encoding="utf-8"), flags=re.MULTILINE)[1:]
    texts = {section.partition("\n")[0]: section for section in sections}
    assert texts.pop("Objectives").count("`tacit:") == len(rules("objectives.yml"))
    assert list(texts) == NAMES
    for name, text in texts.items():
        assert re.findall(r"^\*\*(.+?):\*\*", text, re.MULTILINE) == list(PARTS), name


def test_each_alert_leads_to_its_section() -> None:
    """One click leads from the page to the remedy."""
    for rule in ALERTS:
        assert rule["labels"]["severity"] in {"page", "ticket"}
        assert rule["annotations"]["summary"]
        page, _, anchor = rule["annotations"]["runbook_url"].partition("#")
        assert (ROOT / page, anchor) == (RUNBOOK, rule["alert"].lower())
