"""Entry point of the command `tacit`."""

import gc
import io
import signal
import sys
from types import FrameType

_PACKAGES = ("connectors", "dataflows", "operators", "state", "tacit", "tacit_cli", "tacit_lab")
_INTERRUPTED = 130


def main() -> None:
    """Run the command line; the exit status is in its help."""
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
    """End with the status of the signal, after all context managers; run and replay have their own handler."""
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
