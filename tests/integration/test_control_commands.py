"""Commands of control on a live run: what a user decides is visible in Redis when the command returns."""

import json
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dataflows.control.audit import verify_audit
from tacit import SignalReader, pseudonym
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import SECRET, TACIT, Running, environment, running, tacit
from tests.support.factories import make_event
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.replays import now_ms

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]

STEADY_MS = 60_000


@dataclass
class Deployment:
    """A worker on a topic, and its Redis."""

    source: str
    redis: str
    folder: Path
    run: Running

    def tacit(self, *words: str, fails: bool = False) -> dict[str, object]:
        """Run a command of control, and return its document."""
        done = tacit(*words, "--json", cwd=self.folder, TACIT_SOURCE=self.source, TACIT_REDIS=self.redis)
        assert (done.returncode != 0) == fails, done.stderr + self.run.output[-2000:]
        shown: dict[str, object] = json.loads(done.stderr.splitlines()[-1] if fails else done.stdout)
        return shown


@pytest.fixture
def deployment(kafka: Kafka, tmp_path: Path) -> Iterator[Deployment]:
    """Yield a running deployment, in which ada has been learned about."""
    topic = kafka.create_topic()
    source = f"kafka://{kafka.servers}/{topic}"
    kafka.produce(topic, _history())
    with EmbeddedRedis() as server:
        words = ["run", source, "--redis", server.url, "--state", "state", "--metrics", "off"]
        with running([*words, "--checkpoint-every", "1", "--erase-within", "5"], tmp_path / "log") as run:
            deployment = Deployment(source, server.url, tmp_path, run)
            run.wait_for(lambda: _learned(deployment), "learned signals")
            yield deployment


def _history() -> list[bytes]:
    start = now_ms() - STEADY_MS
    consent = make_event(type="consent", granted=True, user_id="ada", at=start, event_id="c")
    liked = [
        make_event(
            user_id="ada",
            at=start + n + 1,
            event_id=f"e{n}",
            served={"length": "concise"},
            feedback={"kind": "thumbs_up"},
        )
        for n in range(40)
    ]
    return [msgspec.json.encode(event) for event in (consent, *liked)]


def _reader(deployment: Deployment) -> SignalReader:
    return SignalReader(deployment.redis, region="eu", secret=SECRET.encode())


def _learned(deployment: Deployment) -> bool:
    with _reader(deployment) as reader:
        return any(signal.source == "learned" for signal in reader.get("ada").signals.values())


def test_a_forget_returns_when_nothing_is_readable(deployment: Deployment) -> None:
    """With the time it took."""
    shown = deployment.tacit("forget", "ada", "--wait")
    assert shown["visible"] is True
    assert 0 < float(str(shown["took_ms"])) < 10_000
    assert not _learned(deployment)


def test_a_no_returns_when_the_reader_sees_it(deployment: Deployment) -> None:
    """And a yes after it."""
    deployment.tacit("consent", "ada", "no", "--wait")
    with _reader(deployment) as reader:
        assert reader.get("ada").status == "opted_out"
    deployment.tacit("consent", "ada", "yes", "--wait", "20")
    with _reader(deployment) as reader:
        assert reader.get("ada").status != "opted_out"


def test_a_scope_is_denied_alone(deployment: Deployment) -> None:
    """Without use, defaults; what was learned stays, and returns with the yes."""
    deployment.tacit("consent", "ada", "no", "--scope", "use", "--wait")
    assert not _learned(deployment)
    deployment.tacit("consent", "ada", "yes", "--scope", "use", "--wait")
    deployment.run.wait_for(lambda: _learned(deployment), "the signals again")


def test_a_pin_is_set_and_removed(deployment: Deployment) -> None:
    """In the next read after each command."""
    deployment.tacit("pin", "ada", "tone", "formal", "--wait")
    with _reader(deployment) as reader:
        assert reader.get("ada").signals["tone"].source == "user"
    deployment.tacit("pin", "ada", "tone", "none", "--wait")
    with _reader(deployment) as reader:
        found = reader.get("ada").signals.get("tone")
        assert found is None or found.source != "user"


def test_a_facet_is_forgotten_alone(deployment: Deployment) -> None:
    """The gate names the facet."""
    shown = deployment.tacit("forget", "ada", "--facet", "length", "--wait")
    assert shown["facets"] == ["length"]
    with _reader(deployment) as reader:
        assert "length" not in {
            name for name, signal in reader.get("ada").signals.items() if signal.source == "learned"
        }


def test_a_wait_in_vain_fails_and_the_event_stays(deployment: Deployment) -> None:
    """Without a worker; the next one carries it out."""
    deployment.run.stop()
    shown = deployment.tacit("forget", "ada", "--wait", "0.2", fails=True)
    assert shown["error"]["kind"] == "noeffect"  # type: ignore[index]  # a document
    assert "check that a worker of the region reads this source" in str(shown)


def test_the_id_comes_from_stdin_and_stays_out_of_the_audit(deployment: Deployment, tmp_path: Path) -> None:
    """As `-`."""
    words = ["consent", "-", "no", "--source", deployment.source, "--audit", "audit.jsonl"]
    done = subprocess.run(
        [str(TACIT), *words],
        input="ada\n",
        text=True,
        capture_output=True,
        cwd=tmp_path,
        env=environment(),
        check=False,
    )
    assert (done.returncode, "ada" in done.stdout + done.stderr) == (0, False)
    assert not re.search(r"\bada\b", (tmp_path / "audit.jsonl").read_text())  # hashes have these letters, too


def test_a_receipt_lists_what_is_gone_and_what_remains_until_when(deployment: Deployment, tmp_path: Path) -> None:
    """Then the erasure of the state folder makes a later check clean."""
    (tmp_path / "app.log").write_text('{"user": "ada"}\n')
    deployment.run.wait_for(lambda: list((tmp_path / "state").rglob("*.sst")), "a checkpoint")
    looks = ("--state", "state", "--look", "app.log", "--look", deployment.source, "--erase-within", "60")
    audit = ("--audit", "audit.jsonl", "--receipts", "receipts.jsonl")
    shown = deployment.tacit("forget", "ada", "--verify", *looks, *audit)
    receipt: Any = shown["receipt"]
    redis_keys, state, log, topic = receipt["searched"]
    assert (redis_keys["before"]["learned"], redis_keys["after"]) == (2, {"tombstone": 3})
    assert state["before"]["learned"] > 0
    assert (log["after"], log["remains"][0]["until"]) == ({"id": 1}, "operator")
    assert (topic["after"], topic["remains"][0]["until"]) == ({"id": 42}, "time")
    copies = {each["what"] for each in receipt["copies"]}
    assert copies >= {"events of the user in the source", "backups and disk snapshots"}
    assert not re.search(r"\bada\b", (tmp_path / "receipts.jsonl").read_text().replace("app.log", ""))
    assert pseudonym("ada", SECRET.encode()).hex() not in (tmp_path / "receipts.jsonl").read_text()

    def checked() -> dict[str, Any]:
        words = ("forget", "ada", "--check", receipt["number"], "--state", "state", "--erase-within", "60")
        return deployment.tacit(*words, *audit)

    deployment.run.wait_for(lambda: checked()["is_clean"], "the erasure")
    assert checked()["overdue"] == []
    actions = [json.loads(line)["action"] for line in (tmp_path / "audit.jsonl").read_text().splitlines()]
    assert actions[:3] == ["forget", "receipt", "receipt_check"]
    assert verify_audit([str(tmp_path / "audit.jsonl")]).problems == ()


def test_a_receipt_is_about_one_user_only(deployment: Deployment) -> None:
    """Also by the path of its file."""
    deployment.tacit("forget", "ada", "--verify", "--receipts", "receipts.jsonl")
    assert deployment.tacit("forget", "ada", "--check", "receipts.jsonl")["action"] == "receipt_check"
    shown = deployment.tacit("forget", "bob", "--check", "receipts.jsonl", fails=True)
    assert "is about another user, or was made under another secret" in str(shown)
