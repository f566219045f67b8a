"""Pages are run: commands in the page's order on real servers, Python blocks from top to bottom.

A block is left out only by an HTML comment above it, `<!-- not run: reason -->`; `<!-- compare: labels -->` compares
the first cell of each line of output alone. Targets of make are checked to exist, and `make demo` runs a smaller demo.
"""

import io
import json
from collections.abc import Iterator
from doctest import DocTestParser, DocTestRunner
from pathlib import Path

import pytest

from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import SECRET, tacit
from tests.support.factories import make_event
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.pages import PAGES, ROOT, Page
from tests.support.replays import now_ms, replay, write_lines
from tests.support.shown_commands import Session, missing_lines

REDIS, TOPIC, STATE = "redis://localhost:6379", "kafka://localhost:9092/events", "/var/lib/tacit"
"""Addresses of pages, in whose place a test puts its own."""

NOTES = {"not run", "compare"}
ON_KAFKA = [page for page in PAGES if any(TOPIC in shown.command for shown in page.commands())]
WITHOUT_KAFKA = [page for page in PAGES if page.commands() and page not in ON_KAFKA]
WITH_SESSIONS = [page for page in PAGES if page.blocks("pycon")]
WITH_PYTHON = [page for page in PAGES if page.python()]


@pytest.fixture
def redis_address() -> Iterator[str]:
    """Yield the URL of an empty Redis."""
    with EmbeddedRedis() as server:
        yield server.url


def check_commands(page: Page, session: Session) -> None:
    """Run every command of a page, and compare the output that the page shows."""
    for shown in page.commands():
        if shown.note[0] != "not run":
            printed = session.run(shown)
            assert missing_lines(shown.output, printed, labels=shown.note == ("compare", "labels")) == [], printed


@pytest.mark.parametrize("page", WITHOUT_KAFKA, ids=str)
def test_commands_work(page: Page, redis_address: str, tmp_path: Path) -> None:
    """Each command ends well and prints what the page shows."""
    check_commands(page, Session(tmp_path, {REDIS: redis_address, STATE: str(tmp_path / "state")}))


@pytest.mark.parametrize("page", [pytest.param(page, marks=KAFKA_TEST, id=str(page)) for page in ON_KAFKA])
def test_commands_with_kafka_work(
    page: Page, kafka: Kafka, refused_connections: None, redis_address: str, tmp_path: Path
) -> None:
    """The same on a topic that holds a simulated history."""
    topic = kafka.create_topic(partitions=2)
    events = f"kafka://{kafka.servers}/{topic}"
    assert tacit("simulate", "--users", "60", "--turns", "1500", "--out", events).returncode == 0
    here = {TOPIC: events, REDIS: redis_address, STATE: str(tmp_path / "state")}
    check_commands(page, Session(tmp_path, here))


@pytest.mark.parametrize("page", WITH_PYTHON, ids=str)
def test_python_runs(page: Page, redis_address: str, tmp_path: Path) -> None:
    """The blocks of a page run in one namespace, for a user with a pin; files that a page includes are compiled."""
    pin = make_event(type="pin", facet="length", value="concise", user_id="ada", at=now_ms())
    replay(redis_address, write_lines(tmp_path / "events.jsonl", [pin]), cwd=tmp_path)
    given = {"redis_url": redis_address, "secret": SECRET, "user_id": "ada", "conversation_id": "c-1"}
    catalogue = ROOT / "client/tacit/contract/catalogue.toml"
    names: dict[str, object] = {**given, "base_prompt": "Help.", "catalogue_file": catalogue}
    names["events_file"] = tmp_path / "sent.jsonl"
    for block in page.python():
        code = compile(block.replace(REDIS, redis_address), str(page), "exec")
        if "\nif __name__" not in block and "\ndef test_" not in block:  # tests/project/test_examples.py runs these
            exec(code, names)  # noqa: S102  # the page is part of the project
    if "system_prompt" in names:
        assert str(names["system_prompt"]).startswith("Help. Keep answers short.")


@pytest.mark.parametrize("page", WITH_SESSIONS, ids=str)
def test_python_sessions_print_what_the_page_shows(page: Page) -> None:
    """The sessions of a page share one namespace."""
    text = "\n".join(block.text for block in page.blocks("pycon"))
    session = DocTestParser().get_doctest(text, {}, str(page), str(page), 0)
    printed = io.StringIO()
    assert session.examples
    assert DocTestRunner().run(session, out=printed.write).failed == 0, printed.getvalue()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_json_can_be_read(page: Page) -> None:
    """A JSON block is one document, or one document per line."""
    for block in page.blocks("json"):
        try:
            json.loads(block.text)
        except ValueError:
            for line in block.text.splitlines():
                json.loads(line)


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_block_is_left_out_with_a_reason_only(page: Page) -> None:
    """No block is skipped in silence, and every block names its language."""
    blocks = [block for block in [*page.blocks("console"), *page.blocks("python")] if block.note[0]]
    assert {block.note[0] for block in blocks if block.note[0] != "prose"} <= NOTES
    assert [block for block in blocks if block.note[0] == "not run" and len(block.note[1].split()) < 5] == []
    assert page.blocks("") == []


def test_pages_show_commands_and_python() -> None:
    """Otherwise the tests above would check nothing."""
    assert {"README.md", "docs/guides/operator.md"} <= set(map(str, ON_KAFKA))
    assert {"README.md", "docs/guides/assistant-engineer.md"} <= set(map(str, WITH_PYTHON))
    assert {"docs/scale.md"} <= set(map(str, WITH_SESSIONS))
