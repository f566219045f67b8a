"""Checks of values that several settings share: each returns a problem, or None for a valid value."""

import re
from importlib.util import find_spec
from typing import Any

from connectors.kafka.address import TopicAddress
from tacit.errors import ConfigurationError


def pattern_problem(pattern: str, text: str) -> str | None:
    """Check that a pattern matches the whole text."""
    return None if re.fullmatch(pattern, text) else f"must match {pattern}"


def configuration_problem(parse: Any, value: object) -> str | None:
    """Check a value by the function that parses it."""
    try:
        parse(value)
    except ConfigurationError as error:
        return "; ".join(error.problems)
    return None


def output_problem(text: str) -> str | None:
    """Check the destination of an output: a topic, or the path of a file."""
    return configuration_problem(TopicAddress.parse, text) if text.startswith("kafka:") else None


def tracing_problem(url: str) -> str | None:
    """Check the base URL of a collector, and that the packages of the extra are installed."""
    if not re.fullmatch(r"https?://[^@/\s?#]+(/[^@\s?#]*)?", url):
        return "must be http://HOST:PORT or https://HOST:PORT, without a user; OTEL_EXPORTER_OTLP_HEADERS has a token"
    try:
        found = find_spec("opentelemetry.sdk") and find_spec("opentelemetry.exporter.otlp.proto.http")
    except ModuleNotFoundError:  # of a package that holds it
        found = None
    return None if found else "needs more packages; install tacit-worker[tracing]"
