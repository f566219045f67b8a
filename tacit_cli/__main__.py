"""What the `tacit` command starts: the command line, or a word on what to install where only the reader is."""

import sys

_OWN = ("connectors", "dataflows", "operators", "state", "tacit")
_INTERRUPTED = 130


def main() -> None:
    """Run the command line, whose dependencies a reader does without."""
    try:
        from tacit_cli import app as cli
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if missing in _OWN:
            raise
        sys.exit(f"tacit: {missing} is not installed; the command line needs pip install 'tacit-worker[worker]'")
    except KeyboardInterrupt:  # importing takes long enough to be interrupted
        sys.exit(_INTERRUPTED)
    cli.main()


if __name__ == "__main__":
    main()
