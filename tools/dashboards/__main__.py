"""Writer of the dashboards: `python -m tools.dashboards`."""

from pathlib import Path

from tools.dashboards.dashboard import dashboard_json

FILE = Path(__file__).resolve().parents[2] / "deploy" / "grafana" / "dashboards" / "tacit.json"

if __name__ == "__main__":
    FILE.write_text(dashboard_json(), encoding="utf-8")
