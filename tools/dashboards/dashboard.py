"""The dashboard in the form that Grafana reads."""

from collections.abc import Sequence
from string import ascii_uppercase

from grafana_foundation_sdk.builders import common, stat, timeseries
from grafana_foundation_sdk.builders.dashboard import Dashboard, DatasourceVariable, QueryVariable
from grafana_foundation_sdk.builders.dashboard import Row as GrafanaRow
from grafana_foundation_sdk.builders.prometheus import Dataquery
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from tools.dashboards import learning_rows, service_rows, stream_rows
from tools.dashboards.panel import Panel, Row, of_job

ROWS: Sequence[Row] = (*stream_rows.ROWS, *service_rows.ROWS, *learning_rows.ROWS)

_SOURCE = models.DataSourceRef(type_val="prometheus", uid="${datasource}")
_WIDTH = 24
_STAT_HEIGHT, _HEIGHT = 4, 8


def dashboard_json(rows: Sequence[Row] = ROWS) -> str:
    """Return the text of the dashboard's file."""
    built = (
        Dashboard("Tacit")
        .uid("tacit")
        .tags(["tacit"])
        .description("Generated: change tools/dashboards and run make dashboards.")
        .readonly()
        .time("now-6h", "now")
        .refresh("30s")
        .timezone("utc")
        .with_variable(DatasourceVariable("datasource").label("Data source").type("prometheus"))
        .with_variable(_job())
    )
    number = 0
    for row in rows:
        number += 1
        built = built.with_row(GrafanaRow(row.title).id(number))
        for panel in row.panels:
            number += 1
            built = built.with_panel(_panel(panel, number, row))
    return JSONEncoder(indent=1, sort_keys=True).encode(built.build()) + "\n"


def _job() -> QueryVariable:
    return (
        QueryVariable("job")
        .label("Job")
        .datasource(_SOURCE)
        .query("label_values(tacit_records_total, job)")
        .refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(True)
        .include_all(True)
        .all_value(".*")
        .current(models.VariableOption(selected=True, text="All", value="$__all"))
    )


def _panel(panel: Panel, number: int, row: Row) -> stat.Panel | timeseries.Panel:
    built: stat.Panel | timeseries.Panel
    if panel.is_single:
        last = common.ReduceDataOptions().calcs(["lastNotNull"])
        built = stat.Panel().reduce_options(last).span(_WIDTH // len(row.panels)).height(_STAT_HEIGHT)
    else:
        built = timeseries.Panel().span(_WIDTH // 4).height(_HEIGHT)
    built = built.id(number).title(panel.title).description(panel.description).unit(panel.unit).datasource(_SOURCE)
    for name, (query, legend) in zip(ascii_uppercase, panel.queries.items(), strict=False):
        built = built.with_target(Dataquery().ref_id(name).expr(of_job(query)).legend_format(legend).range())
    return built
