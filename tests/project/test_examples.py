"""The example assistant as it is: as a command with a history, and in tests with fakes.

tests/integration/test_assistant.py has the same assistant with a worker that follows a topic.
"""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from examples.assistant import READS, USAGE, Assistant, Conversation, reply
from tacit import Catalogue, Feedback, Interaction, Pin, decode_event
from tacit.testing import FakeSignalReader, RecordingEmitter
from tests.support.commands import environment
from tests.support.pages import ROOT, Page
from tests.support.replays import replay

EXAMPLE = ROOT / "examples/assistant.py"
QUESTION = "How do I find a value?"

Talk = Callable[[str], list[str]]


@pytest.fixture
def talk(tacit_reader: FakeSignalReader, tacit_emitter: RecordingEmitter) -> Talk:
    """Return a function from a line of Ada to the lines of the assistant."""
    assistant, conversation = Assistant(tacit_reader, tacit_emitter, Catalogue.load()), Conversation("ada", "c-1")
    return lambda line: reply(assistant, conversation, line)


def test_command_writes_a_history_that_a_replay_reads(redis_url: str, tmp_path: Path) -> None:
    """The next conversation begins with the learned style."""
    first = _converse(redis_url, tmp_path, [QUESTION, "/yes", *[QUESTION, "/shorter"] * 10])
    assert first[0] == "[You help with programming.]"
    assert replay(redis_url, "events.jsonl", cwd=tmp_path)["accepted"] >= 21
    second = _converse(redis_url, tmp_path, [QUESTION, "/set length huge", "/set length detailed", "/quit", "/forget"])
    assert "Keep answers short." in second[0]
    assert second[-2:] == [
        "I cannot do that: value: not in the catalogue; allowed are concise, balanced, detailed",
        "Noted.",
    ]
    newest = decode_event((tmp_path / "events.jsonl").read_bytes().splitlines()[-1])
    assert isinstance(newest, Pin)
    assert newest.value == "detailed"


def test_tests_of_the_guide_pass(tmp_path: Path) -> None:
    """The two blocks, in the files that the guide names."""
    blocks = [block for block in Page(ROOT / "docs/guides/assistant-engineer.md").python() if "tacit.testing" in block]
    [tests] = [block for block in Page(ROOT / "docs/guides/assistant-engineer.md").python() if "\ndef test_" in block]
    (tmp_path / "conftest.py").write_text(blocks[0])
    (tmp_path / "test_guide.py").write_text(f"from tacit import Catalogue\n{tests}")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", "."]
    variables = environment() | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, env=variables, check=False, timeout=60)
    assert "2 passed" in done.stdout, done.stdout


def _converse(url: str, folder: Path, lines: list[str]) -> list[str]:
    done = subprocess.run(
        [sys.executable, EXAMPLE, "ada", "events.jsonl"],
        input="".join(f"{line}\n" for line in lines),
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment() | {"TACIT_REDIS": url},
        check=True,
        timeout=60,
    )
    assert done.stderr == ""
    return done.stdout.splitlines()


def test_feedback_is_about_the_answer(
    talk: Talk, tacit_reader: FakeSignalReader, tacit_emitter: RecordingEmitter
) -> None:
    """With its style, and the question of the catalogue that settles most."""
    tacit_reader.set("ada", length="concise", format="bullets")
    tacit_reader.consent("ada")
    assert talk("/like") == ["There is no answer yet."]
    answer = talk(QUESTION)
    assert answer[1] == "- Sort the values once, then search them by halves."
    assert "/set " in answer[2]
    assert talk("/like") == ["Thank you."]
    [shown, liked] = tacit_emitter.events
    assert isinstance(shown, Interaction)
    assert isinstance(liked, Interaction)
    assert (shown.feedback, liked.feedback) == (None, Feedback(kind="thumbs_up"))
    assert shown.turn_id == liked.turn_id
    assert liked.served is not None
    assert (liked.served["length"], liked.topic, liked.surface) == ("concise", "code", "chat")


def test_decision_that_cannot_be_kept_is_no_silent_loss(talk: Talk, tacit_emitter: RecordingEmitter) -> None:
    """The user may try again."""
    tacit_emitter.is_full = True
    for decision in ("/no", "/set tone none", "/forget"):
        assert talk(decision) == ["I cannot store that now. Please try again in a minute."]
    assert talk("/other") == [USAGE]


def test_assistant_answers_without_redis(talk: Talk, tacit_reader: FakeSignalReader) -> None:
    """In the default style, without a question, and counted for the operator."""
    tacit_reader.is_down = True

    def count() -> float:
        [metric] = READS.collect()
        return sum(sample.value for sample in metric.samples if sample.labels == {"status": "unavailable"})

    before = count()
    assert talk(QUESTION) == [
        "[You help with programming.]",
        "Sort the values once, then search them by halves. Each step leaves half of the values.",
    ]
    assert count() > before
