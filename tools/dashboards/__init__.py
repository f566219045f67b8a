"""Dashboards of Grafana as code: `python -m tools.dashboards` writes them below deploy/grafana/dashboards."""
