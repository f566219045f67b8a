"""`tacit` with a measured step of the population: CPU of the keyed step, which only one process of a run has.

The thread's CPU time in the step is written to a file per process, in the folder of MEASURED_STEP_FOLDER.
"""

import os
from collections.abc import Callable
from pathlib import Path
from struct import Struct
from time import thread_time
from typing import Any

from operators.learn_population import LearnPopulation
from tacit_cli.__main__ import main

FOLDER = "MEASURED_STEP_FOLDER"
SECONDS = Struct("<d")


class _Step:
    """CPU time of the step in this process."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / str(os.getpid())
        self._file = -1
        self._seconds = 0.0

    def measured(self, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return the call with its CPU time added up."""

        def timed(*args: Any) -> Any:
            before_s = thread_time()
            try:
                return call(*args)
            finally:
                self._add(thread_time() - before_s)

        return timed

    def _add(self, seconds: float) -> None:
        if self._file < 0:
            self._file = os.open(self._path, os.O_WRONLY | os.O_CREAT)
        self._seconds += seconds
        os.pwrite(self._file, SECONDS.pack(self._seconds), 0)


if FOLDER in os.environ:  # each spawned process imports this module, too
    _step = _Step(Path(os.environ[FOLDER]))
    for _name in ("on_batch", "on_notify", "snapshot"):
        setattr(LearnPopulation, _name, _step.measured(getattr(LearnPopulation, _name)))

if __name__ == "__main__":
    main()
