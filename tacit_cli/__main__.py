"""Entry point of the command `tacit`."""

import gc
import io
import signal
import sys
from types import FrameType

from dataflows.runtime.stopping import catch_signals, ignore_signals

_PACKAGES = ("connectors", "dataflows", "operators", "state", "tacit", "tacit_cli", "tacit_lab")
_INTERRUPTED = 130
_STOPPED_IN_ORDER = ("run", "replay")
"""Commands that SIGTERM and SIGINT end after a checkpoint, also while the command starts."""


def main() -> None:
    """Run the command line; the exit status is in its help."""
    stops_in_order = sys.argv[1:2] and sys.argv[1] in _STOPPED_IN_ORDER
    if stops_in_order:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # of logrotate: a run sets its handler once it has started
        catch_signals()
    else:
        signal.signal(signal.SIGTERM, _end)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal without UTF-8 shows "?", and the command does not fail
    gc.disable()  # imports allocate much and free little: a tenth of their time; GroupedCommand enables it again
    try:
        _run(as_json="--json" in sys.argv)
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _PACKAGES:
            raise
        sys.exit(f"tacit: the package {missing} is not installed; run pip install tacit-worker")
    except KeyboardInterrupt:  # during imports; typer handles it later
        sys.exit(_INTERRUPTED)
    finally:
        if stops_in_order:
            ignore_signals()


def _run(*, as_json: bool) -> None:
    import typer

    from tacit.errors import TacitError
    from tacit_cli import failures
    from tacit_cli.app import app

    try:
        status = app(prog_name="tacit", standalone_mode=not as_json)
    except TacitError as error:
        sys.exit(failures.report(error, as_json=as_json))
    except typer.TyperException as error:  # wrong usage, which typer itself prints as text
        failures.print_json_error("usage", [error.format_message()])
        sys.exit(error.exit_code)
    sys.exit(status or 0)


def _end(number: int, _frame: FrameType | None) -> None:
    """End with the status of the signal, after all context managers; run and replay stop in order."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
