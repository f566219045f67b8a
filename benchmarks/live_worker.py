"""A live worker on a topic of a real broker, for measurements."""

import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from tests.support.commands import environment
from tests.support.conditions import eventually

METRICS = "127.0.0.1:9471"
TACIT = Path(sys.executable).with_name("tacit")


@contextmanager
def live_worker(source: str, redis_url: str, folder: Path, options: Sequence[str] = ()) -> Iterator[None]:
    """Run `tacit run` with the state folder `state` in a folder, and wait until the worker reads its source."""
    arguments = ["run", source, "--redis", redis_url, "--state", str(folder / "state"), "--metrics", METRICS]
    arguments += ["--rejects", str(folder / "rejects.jsonl"), *options]
    with (folder / "log").open("wb") as log:
        worker = subprocess.Popen([str(TACIT), *arguments], env=environment(), stdout=log, stderr=log)
        try:
            eventually(_reads, within_s=60, what="the worker to read")
            yield
        finally:
            worker.terminate()
            worker.wait(30)


def _reads() -> bool:
    return re.search(rb"^tacit_source_lag_records\{", served_metrics(), re.MULTILINE) is not None


def served_metrics() -> bytes:
    """Return the metrics of the worker; nothing before it serves them."""
    try:
        with urlopen(f"http://{METRICS}/metrics", timeout=1) as answer:  # a constant address
            return bytes(answer.read())
    except OSError:
        return b""


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the value below which a share of sorted values lies."""
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
