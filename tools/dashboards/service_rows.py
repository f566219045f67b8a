"""Row about the HTTP service."""

from tools.dashboards.panel import COUNT, PER_S, SECONDS, Panel, Row, quantiles

SERVICE = Row(
    "HTTP service",
    [
        Panel(
            "Requests",
            PER_S,
            "Requests by status; 429 is above a rate, and 503 means that Redis or the source is away.",
            {"sum by (status) (rate(tacit_http_requests_total[$__rate_interval]))": "{{status}}"},
        ),
        Panel(
            "Time to answer",
            SECONDS,
            "Time from a request to the end of its answer, of all routes but the stream of changes.",
            {
                query.replace("_bucket[", '_bucket{route!="/v1/changes"}['): legend
                for query, legend in quantiles("tacit_http_seconds").items()
            },
        ),
        Panel(
            "Events by HTTP",
            PER_S,
            "Events by outcome and reason; a failed one has to be sent again.",
            {"sum by (outcome, reason) (rate(tacit_http_events_total[$__rate_interval]))": "{{outcome}} {{reason}}"},
        ),
        Panel(
            "Requests above a rate",
            PER_S,
            "Requests that got 429, by the rate that they exceeded.",
            {"sum by (rate) (rate(tacit_http_refused_total[$__rate_interval]))": "{{rate}}"},
        ),
        Panel(
            "Open requests and streams",
            COUNT,
            "Requests that are being answered, and open streams of changes.",
            {"sum(tacit_http_open_requests)": "requests", "sum(tacit_http_open_streams)": "streams"},
        ),
    ],
)

ROWS = (SERVICE,)
