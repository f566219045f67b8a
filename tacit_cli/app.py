"""Command line: the table of commands, and the options that all commands share."""

from collections.abc import Mapping
from typing import Annotated

import typer

from tacit_cli.lazy_group import Lazy, LazyGroup

HELP = """\
Learns, in real time, how each user likes an AI assistant to answer.

\b
Exit status:
  0  done; run and replay: or stopped in order by SIGTERM, and run by Ctrl-C, too
  1  the work failed, or a comparison or check found a difference or a problem
  2  wrong usage or configuration; of a comparison (diff, parity) any error
  128 + N  stopped by signal N: 130 is Ctrl-C

Each setting is a flag, a variable TACIT_… and a key of tacit.toml, in this order of precedence.
With --json, an error is one JSON document on stderr: {"error": {"kind": …, "problems": […]}}.
"""

COMMANDS: Mapping[str, Lazy] = {
    "run": Lazy(
        "tacit_cli.run_command",
        "Process a Kafka topic, or a file that grows, continuously, and write signals to Redis.",
    ),
    "standby": Lazy(
        "tacit_cli.standby_command", "Follow the cuts of a run in object storage, and take over when it ends."
    ),
    "replay": Lazy(
        "tacit_cli.replay_command", "Process a history: files, folders, stdin, or Kafka topics up to their ends."
    ),
    "rebuild": Lazy("tacit_cli.rebuild_command", "Restore the contents of Redis from a state folder or a cut."),
    "simulate": Lazy("tacit_cli.simulate_command", "Generate events of simulated users, with their true preferences."),
    "evaluate": Lazy("tacit_cli.evaluate_command", "Score predictions on a stream against River's own models."),
    "show": Lazy("tacit_cli.show_command", "Show the signals of one user, and the prompt text they give."),
    "consent": Lazy("tacit_cli.consent_command", "Grant or withdraw a user's consent, in some scopes or in all."),
    "pin": Lazy("tacit_cli.pin_command", "Set a facet for a user, or remove the setting."),
    "forget": Lazy("tacit_cli.forget_command", "Delete what was learned about a user, and verify it by a receipt."),
    "why": Lazy(
        "tacit_cli.why_command",
        "Explain a user's values: how sure, which feedback for and against, and what would change them.",
    ),
    "export": Lazy("tacit_cli.export_command", "Export all that is held and inferred about a user, as JSON."),
    "audit": Lazy("tacit_cli.audit_commands", "Verify the audit of operators' actions."),
    "diff": Lazy("tacit_cli.diff_command", "Compare the signals of two namespaces."),
    "parity": Lazy(
        "tacit_cli.parity_command", "Run a sample of users' history again, and compare with the signals in Redis."
    ),
    "rejects": Lazy("tacit_cli.rejects_commands", "List rejects, find their records, and feed records back."),
    "uplift": Lazy(
        "tacit_cli.uplift_command", "Show whether signals help: holdout, off-policy, apprentice, candidate."
    ),
    "promote": Lazy("tacit_cli.promote_command", "Activate a namespace: readers follow within a second."),
    "serve": Lazy("tacit_service.serve_command", "Serve the HTTP API, the page of users and the console."),
    "mcp": Lazy("tacit_service.mcp_command", "Let a model read a user's context and pass on decisions (MCP)."),
    "token": Lazy("tacit_service.token_command", "Make a key for an assistant or an operator."),
    "state": Lazy("tacit_cli.state_commands", "Inspect a state folder, also while workers use it; keep savepoints."),
    "redis": Lazy("tacit_cli.redis_commands", "Prepare a Redis server."),
    "check": Lazy("tacit_cli.check_command", "Check configuration, catalogue, Redis, Kafka and folders."),
    "demo": Lazy("tacit_cli.demo_command", "Simulate a deployment, process its events, and show the signals."),
}


class Commands(LazyGroup):
    """All commands."""

    table = COMMANDS


app = typer.Typer(
    cls=Commands,
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        from tacit_cli.versions import versions  # takes a tenth of the time of a short command

        typer.echo(versions())
        raise typer.Exit


@app.callback()
def main(
    show_version: Annotated[  # its callback prints
        bool, typer.Option("--version", help="Print the versions, and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Carry the options of the group."""
