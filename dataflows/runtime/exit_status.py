"""Description of the end of a process, from its exit status."""

import signal


def describe_end(code: int) -> str:
    """Return the end of a process as a predicate; a negative code is that of a signal, as in `multiprocessing`.

    >>> describe_end(-9), describe_end(1)
    ('was ended by SIGKILL', 'ended with status 1')
    """
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
