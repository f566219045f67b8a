"""Command-line tools of Apache Kafka itself, as an operator runs them."""

import os
import subprocess

import pytest

from tests.support.kafka_jars import HOW_TO_INSTALL, installed_jars, tools_folder
from tests.support.kafka_topics import Kafka

_GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand"


def group_lags(kafka: Kafka, group: str) -> dict[int, tuple[int, int]]:
    """Return committed offset and lag of each partition, as `kafka-consumer-groups.sh --describe` shows them."""
    jars = installed_jars()
    if not tools_folder().is_dir():
        missing = f"Kafka's tools are missing: {HOW_TO_INSTALL}"
        if os.environ.get("TACIT_REQUIRE_KAFKA") == "1":
            pytest.fail(missing)
        pytest.skip(missing)
    java = ("java", "-Xmx128m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=OFF")
    path = f"{tools_folder()}/*:{jars}/*"
    done = subprocess.run(
        (*java, "-cp", path, _GROUPS, "--bootstrap-server", kafka.servers, "--describe", "--group", group),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    rows = [line.split() for line in done.stdout.splitlines() if line.startswith(group)]
    return {int(row[2]): (int(row[3]), int(row[5])) for row in rows}
