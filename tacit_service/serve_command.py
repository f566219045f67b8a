"""Command `tacit serve`."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Annotated

import typer

from dataflows.kafka_settings import KAFKA
from dataflows.service_settings import SERVICE
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_cli.worker_settings import logged_settings
from tacit_service.app import make_app
from tacit_service.embedded import embedded
from tacit_service.http.listening import listening
from tacit_service.server import serve as serve_app

app = new_app()

Demo = Annotated[
    bool,
    typer.Option(
        "--demo", help="Begin with the history of simulated users, and print addresses.", rich_help_panel=SERVICE
    ),
]


@command(
    app,
    "tacit serve --source kafka://localhost:9092/events --redis redis://localhost:6379 --keys keys.jsonl",
    "tacit serve --embedded --demo",
    settings=(
        SERVICE,
        "source",
        "redis",
        "embedded",
        "region",
        "namespace",
        "catalogue",
        "state",
        "population",
        "receipts",
        "audit",
        "log_level",
        "log_json",
        KAFKA,
    ),
    texts={
        "namespace": ("Namespace to read.", "the active namespace"),
        "state": ("State folder of the workers, for explanations and exports.", "no explanations and exports"),
        "embedded": ("Start a Redis, a log of events in --state, and a worker for the service.", ""),
        "source": ("Source of the workers, which takes events: a topic or a .jsonl file.", "no events are taken"),
    },
    has_result=False,
)
def serve(invocation: Invocation, demo: Demo = False) -> None:
    """Serve the HTTP API, the page of users and the console.

    SIGTERM ends the service after the requests that are open.
    """
    settings = logged_settings(invocation)
    with listening(settings.listen, "listen") as (listener, address):
        settings = replace(settings, listen=address)
        with embedded(settings, demo=demo) if settings.embedded or demo else nullcontext(settings) as served:
            serve_app(make_app(served), listener)
