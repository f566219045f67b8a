"""Commands `tacit audit …`."""

from typing import Annotated

import typer

from dataflows.control.audit import verify_audit
from dataflows.control.audit_chain import Verified
from dataflows.settings import CONTROL
from tacit_cli.command import command, new_app
from tacit_cli.failures import FAILED
from tacit_cli.invocation import Invocation
from tacit_cli.worker_settings import logged_settings

app = new_app("audit", "Verify the audit of operators' actions.")


@app.callback()
def group() -> None:
    """Keep `verify` a command of a group."""


Places = Annotated[
    list[str],
    typer.Argument(
        metavar="FILE|kafka://HOST:PORT/TOPIC", help="Audit: one topic, or files from the oldest to the newest."
    ),
]
Expected = Annotated[
    str | None,
    typer.Option(
        "--expect",
        metavar="HASH",
        help="Hash of a line, noted earlier in another place, that must be in the chain.",
        rich_help_panel=CONTROL,
    ),
]


@command(
    app,
    "tacit audit verify /var/log/tacit-audit.jsonl",
    fails_if="a line was altered, is missing or was moved (the problems are on stdout)",
)
def verify(invocation: Invocation, audit: Places, expect: Expected = None) -> None:
    """Check that no line of an audit was altered, removed or moved.

    The result has the hash of the newest line. A writer of the audit can make the whole chain again: note the hash in
    a place that operators cannot write to, and pass it later by --expect.
    """
    found = verify_audit(audit, expect, logged_settings(invocation, needs_secret=False).kafka)
    invocation.output.show(_document(found), lambda: typer.echo(_text(found)))
    if found.problems:
        raise typer.Exit(FAILED)


def _document(found: Verified) -> dict[str, object]:
    return {
        "ok": not found.problems,
        "lines": found.lines,
        "seq": found.tip.seq,
        "hash": found.tip.hash,
        "problems": [problem._asdict() for problem in found.problems],
        "notes": list(found.notes),
    }


def _text(found: Verified) -> str:
    lines = [f"line {problem.line}: {problem.kind}: {problem.text}" for problem in found.problems]
    state = f"{len(found.problems)} problems" if found.problems else "whole"
    return "\n".join([*lines, *found.notes, f"{found.lines} lines, {state}; newest {found.tip.seq} {found.tip.hash}"])
