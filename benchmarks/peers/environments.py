"""Environments of the peers: one virtual environment each, with pinned versions, in `.cache/peers`."""

import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(".cache/peers")
RIVER = "river==0.26.1"
REDIS = "redis==8.1.0"


class PeerUnavailableError(Exception):
    """A peer cannot run here; the message has the reason."""


@dataclass(frozen=True)
class Peer:
    """A stream processor in an environment of its own."""

    name: str
    module: str
    """Module of `benchmarks.peers` with the job."""
    requirements: Sequence[str]
    alone: Sequence[str] = ()
    """Requirements to install without their dependencies, which contradict those of the others."""
    programs: Sequence[str] = ()
    """Programs that have to be on the path."""
    is_from_kafka: bool = False


PEERS = (
    Peer("Quix Streams 3.28.1", "quix_job", ("quixstreams[redis]==3.28.1", RIVER, REDIS), is_from_kafka=True),
    Peer("Pathway 0.33.0", "pathway_job", ("pathway==0.33.0", RIVER, REDIS)),
    Peer(
        "PyFlink 2.3.0",
        "flink_job",
        ("apache-flink==2.3.0", REDIS, "scipy>=1.14.1,<2", "narwhals>=2"),
        alone=(RIVER,),  # River needs NumPy 2 and Apache Beam NumPy 1; the job runs with 1
        programs=("java",),
    ),
)


def installed_python(peer: Peer) -> Path:
    """Return the interpreter of a peer's environment; make the environment if it is missing or of other versions.

    Raises:
        PeerUnavailableError: a program is missing, or the installation failed.
    """
    for program in peer.programs:
        if shutil.which(program) is None:
            raise PeerUnavailableError(f"needs {program}, which is not on the path")
    folder = (FOLDER / peer.module).absolute()
    python, done = folder / "bin" / "python", folder / "installed"
    wanted = "\n".join((*peer.requirements, *peer.alone))
    if done.exists() and done.read_text() == wanted:
        return python
    print(f"installing {peer.name} into {FOLDER / peer.module}", file=sys.stderr, flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    _run(sys.executable, "-m", "venv", "--without-pip", str(folder))
    pip = (sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet", "--disable-pip-version-check")
    _run(*pip, *peer.requirements)
    if peer.alone:
        _run(*pip, "--no-deps", *peer.alone)
    done.write_text(wanted)
    return python


def site_packages(python: Path) -> Path:
    """Return the packages of an environment, for an interpreter that is embedded in another program."""
    return next((python.parent.parent / "lib").glob("python*")) / "site-packages"


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()] or ["no output"]
        errors = [line for line in lines if line.startswith("ERROR")] or lines[-1:]
        raise PeerUnavailableError(f"cannot be installed: {errors[0]}")
