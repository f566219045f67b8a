"""The dashboard of Grafana: as its code makes it, with every metric, and with units and descriptions."""

import json
import re
from typing import Any

import pytest
import yaml

from tests.support.pages import ROOT
from tools.dashboards.__main__ import FILE
from tools.dashboards.dashboard import ROWS, dashboard_json
from tools.docs.metrics_page import served_metrics

GRAFANA = ROOT / "deploy" / "grafana"
DASHBOARD: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]


def test_file_is_what_the_code_makes() -> None:
    """After a change of tools/dashboards, `make dashboards` writes the file."""
    assert FILE.read_text(encoding="utf-8") == dashboard_json(), f"{FILE} is stale: make dashboards"


def test_every_metric_is_shown() -> None:
    """Directly, or by a recording rule."""
    recorded = yaml.safe_load((ROOT / "deploy" / "objectives.yml").read_text())["groups"][0]["rules"]
    text = "\n".join([*QUERIES, *(rule["expr"] for rule in recorded if any(rule["record"] in q for q in QUERIES))])
    assert [metric.name for metric in served_metrics() if not re.search(rf"\b{metric.name}(_bucket)?\b", text)] == []


@pytest.mark.parametrize("panel", PANELS, ids=lambda panel: str(panel["title"]))
def test_panel_has_a_unit_a_description_and_a_legend(panel: dict[str, Any]) -> None:
    """The description is one sentence; several lines in a panel have names."""
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert re.fullmatch(r"[A-Z][^\n]*[^.]\.", panel["description"])
    assert panel["type"] == "stat" or all(target["legendFormat"] for target in panel["targets"])


def test_panels_are_in_rows_without_overlap() -> None:
    """Each row has a title, and each panel its own place and number."""
    rows = [panel["title"] for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert rows == [row.title for row in ROWS]
    titles = [panel["title"] for panel in PANELS]
    assert len(set(titles)) == len(titles)
    cells = [
        (place["x"] + x, place["y"] + y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["w"])
        for y in range(place["h"])
    ]
    assert len(set(cells)) == len(cells)
    assert all(x < 24 for x, _ in cells)
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_panels_show_the_chosen_job_and_data_source() -> None:
    """Metrics of assistants and of the comparison come from other jobs."""
    assert {variable["name"] for variable in DASHBOARD["templating"]["list"]} == {"datasource", "job"}
    assert {panel["datasource"]["uid"] for panel in PANELS} == {"${datasource}"}
    others = [query for query in QUERIES if '{job=~"$job"' not in query]
    assert all(re.search(r"tacit_parity_|tacit_http_|tacit[:_]reads", query) for query in others)
    assert len(others) == 13


def test_provisioning_loads_the_folder_of_the_dashboards() -> None:
    """The guide for operators names where to mount it."""
    guide = (ROOT / "docs" / "guides" / "operator.md").read_text()
    (provider,) = yaml.safe_load((GRAFANA / "provisioning" / "dashboards" / "tacit.yml").read_text())["providers"]
    (source,) = yaml.safe_load((GRAFANA / "provisioning" / "datasources" / "prometheus.yml").read_text())["datasources"]
    assert source["type"] == "prometheus"
    assert f"`deploy/grafana/dashboards` on `{provider['options']['path']}`" in guide
    assert source["url"].removeprefix("$") in guide
