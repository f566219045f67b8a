"""Addresses of topics: each has the client's options of the settings."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("connectors", "dataflows", "operators", "tacit_cli", "tacit_lab", "tacit_service")
FORM_ONLY = {
    "connectors/kafka/address.py", "dataflows/rejects/retry.py", "dataflows/setting_checks.py", "dataflows/settings.py",
}  # fmt: skip
"""Files that parse an address for its form or its name, and do not connect."""
CALLS = ("TopicAddress.parse(", " parse_source(", " read_ids(", " verify_audit(")
OPTIONS = ("client)", "_client)", ".kafka)")


def test_every_address_has_the_options_of_the_settings() -> None:
    """A forgotten option would connect without encryption; `settings.topic(text)` adds all of them."""
    forgetful = [
        f"{name}: {line.strip()}"
        for package in PACKAGES
        for path in sorted((ROOT / package).rglob("*.py"))
        if (name := str(path.relative_to(ROOT))) not in FORM_ONLY
        for line in path.read_text(encoding="utf-8").splitlines()
        if any(call in line for call in CALLS) and not line.strip().startswith(("def ", ">>>"))
        if not any(options in line for options in OPTIONS)
    ]
    assert forgetful == []
