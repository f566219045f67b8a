"""Command `tacit forget`."""

from time import time_ns
from typing import Annotated, Any

import msgspec
import typer

from dataflows.control.receipts import Receipt, Searched
from dataflows.control.sending import send_forget
from dataflows.settings import CONTROL
from tacit.errors import ConfigurationError
from tacit_cli.arguments import User, read_user
from tacit_cli.command import command, new_app
from tacit_cli.control import SETTINGS, Wait, document, run_action, text
from tacit_cli.failures import FAILED
from tacit_cli.invocation import Invocation
from tacit_cli.optional_value import DEFAULTS, WAIT
from tacit_cli.views.receipt_text import checked_text, receipt_text
from tacit_cli.worker_settings import logged_settings

app = new_app()


def _option(flag: str, metavar: str | None, help_text: str, default: str | bool = False) -> Any:
    return typer.Option(flag, metavar=metavar, help=help_text, show_default=default, rich_help_panel=CONTROL)


Facets = Annotated[list[str] | None, _option("--facet", "FACET", "Facet to forget; repeatable.", "everything")]
Verify = Annotated[
    bool, _option("--verify", None, "Wait, search for the user's bytes before and after, and print a receipt.")
]
Check = Annotated[
    str | None,
    _option("--check", "RECEIPT", "Send nothing; search again, and compare with this receipt (a number, or a file)."),
]
Look = Annotated[
    list[str] | None,
    _option("--look", "FILE|DIR|kafka://HOST:PORT/TOPIC", "Further place to search; repeatable.", "none"),
]


@command(
    app,
    "tacit forget user-000001 --source kafka://localhost:9092/events --wait",
    "tacit forget user-000001 --verify --state /var/lib/tacit --look tacit-rejects.jsonl --receipts receipts.jsonl",
    "tacit forget user-000001 --check r-0123456789abcdef0123456789abcdef --receipts receipts.jsonl",
    settings=(
        *SETTINGS,
        "state",
        "erase_within",
        "tombstones",
        "receipts",
        "checkpoints",
        "upload_every",
        "keep_cuts",
        "namespace",
    ),
    texts={
        "state": ("State folder to search.", "not searched"),
        "checkpoints": ("Object storage with cuts to search.", "not searched"),
        "namespace": ("Namespace of the cuts.", "live"),
    },
    fails_if="the source did not take the event, the effect is not visible in time, or a trace is overdue",
)
def forget(
    invocation: Invocation,
    user: User,
    facet: Facets = None,
    wait: Wait = None,
    verify: Verify = False,
    check: Check = None,
    look: Look = None,
) -> None:
    """Delete what was learned about a user, and verify it by a receipt.

    Without --facet, the pins and a granted consent go, too; a "no" stays. A receipt has what is gone and what remains,
    until when and why. It names no user: --check needs the user id and the secret.
    """
    user_id, facets, places = read_user(user), facet or [], look or []
    _require_one_way(verify=verify, check=check, facets=facets, places=places)
    if check is not None:
        _check(invocation, user_id, check, places)
    elif verify:
        _verify(invocation, user_id, facets, places, wait)
    else:
        done = run_action(invocation, "forget", user_id, lambda used: send_forget(used, user_id, facets), wait)
        subject = f"forget {', '.join(facets) or 'all'}"
        invocation.output.print(document("forget", done) | {"facets": facets or None}, lambda: text(subject, done))


def _require_one_way(*, verify: bool, check: str | None, facets: list[str], places: list[str]) -> None:
    if check is not None and (verify or facets):
        raise ConfigurationError(["check: sends nothing; use it without --verify and --facet"])
    if places and not verify and check is None:
        raise ConfigurationError(["look: needs --verify or --check; add one, or remove --look"])


def _verify(invocation: Invocation, user_id: str, facets: list[str], look: list[str], wait_s: float | None) -> None:
    from dataflows.control.verified import forget_verified  # RocksDB and Kafka take a second to import

    limit_s = float(DEFAULTS[WAIT]) if wait_s is None else wait_s
    done, receipt = forget_verified(logged_settings(invocation), user_id, facets, look, limit_s)
    shown = document("forget", done) | {"facets": facets or None, "receipt": msgspec.to_builtins(receipt)}
    invocation.output.show(shown, lambda: typer.echo(receipt_text(receipt)))


def _check(invocation: Invocation, user_id: str, place: str, look: list[str]) -> None:
    from dataflows.control.verified import check_receipt, is_overdue

    receipt, found = check_receipt(logged_settings(invocation), place, user_id, look)
    overdue = [each.place for each in found if is_overdue(each, time_ns() // 1_000_000)]
    invocation.output.show(_checked(receipt, found, overdue), lambda: typer.echo(checked_text(receipt, found, overdue)))
    if overdue:
        raise typer.Exit(FAILED)


def _checked(receipt: Receipt, found: list[Searched], overdue: list[str]) -> dict[str, object]:
    return {
        "action": "receipt_check",
        "receipt": receipt.number,
        "sent_ms": receipt.sent_ms,
        "is_clean": all(each.is_clean for each in found),
        "overdue": overdue,
        "searched": msgspec.to_builtins(found),
    }
