"""Jars of an Apache Kafka broker, downloaded once from Maven Central into the cache of the project."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
POM = PROJECT / "tests" / "support" / "broker" / "pom.xml"
DEBIAN_PACKAGES = ("default-jre-headless", "maven")

_COPY = "org.apache.maven.plugins:maven-dependency-plugin:3.8.1:copy"

HOW_TO_INSTALL = (
    "run `python -m tests.support.kafka_broker install`, or name a running broker in TACIT_TEST_KAFKA (HOST:PORT)"
)


class BrokerUnavailableError(Exception):
    """No broker is available; the message states the missing part and the remedy."""


def jars_folder() -> Path:
    """Return the folder for the jars of this version of Kafka."""
    return PROJECT / ".cache" / "kafka" / _version()


def class_archive() -> Path:
    """Return the file with the classes of a broker in the form of the JVM's memory: half of the time of a start."""
    return jars_folder() / "broker.jsa"


def tools_folder() -> Path:
    """Return the folder for the jar of Kafka's command-line tools, which need the jars of the broker, too."""
    return PROJECT / ".cache" / "kafka-tools" / _version()


def _version() -> str:
    version = re.search(r"<kafka\.version>([^<]+)</kafka\.version>", POM.read_text())
    if version is None:
        raise BrokerUnavailableError(f"{POM} names no kafka.version")
    return version[1]


def installed_jars() -> Path:
    """Return the folder of the jars; raise BrokerUnavailableError without Java or jars."""
    folder = jars_folder()
    if shutil.which("java") is None:
        raise BrokerUnavailableError(f"Java is missing: {HOW_TO_INSTALL}")
    if not folder.is_dir():
        raise BrokerUnavailableError(f"the jars of Kafka are missing in {folder}: {HOW_TO_INSTALL}")
    return folder


def install() -> Path:
    """Install missing jars, and as root on Debian missing Java and Maven; return the folder of the jars."""
    folder, tools = jars_folder(), tools_folder()
    needed = ("java",) if folder.is_dir() and tools.is_dir() else ("java", "mvn")
    _ensure_commands(needed)
    if not folder.is_dir():
        _resolve(folder, "-f", str(POM), "dependency:copy-dependencies")
    if not tools.is_dir():
        _resolve(tools, _COPY, f"-Dartifact=org.apache.kafka:kafka-tools:{tools.name}")
    return folder


def _ensure_commands(commands: tuple[str, ...]) -> None:
    missing = [command for command in commands if shutil.which(command) is None]
    if not missing:
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BrokerUnavailableError(
            f"not installed: {', '.join(missing)}. Install Java 17 or later and Maven "
            f"(on Debian, as root: apt-get install {' '.join(DEBIAN_PACKAGES)}) and run this again"
        )
    _run("apt-get", "update", "-qq")
    _run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *DEBIAN_PACKAGES)


def _resolve(folder: Path, *goal: str) -> None:
    # Renamed when complete: an interrupted download must not pass for a broker.
    partial = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    try:
        _run("mvn", "-q", "-B", *goal, f"-DoutputDirectory={partial}")
        partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _run(*command: str) -> None:
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    done = subprocess.run(command, env=environment, stdout=sys.stderr, check=False)
    if done.returncode != 0:
        raise BrokerUnavailableError(f"`{command[0]}` failed with code {done.returncode}; its output is above")
