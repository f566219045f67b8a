"""Service with a Redis, a log and a worker of its own: `tacit serve --embedded`."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from dataflows.settings import Settings
from dataflows.state_folder import DESCRIPTION
from tacit import SignalReader
from tacit_service.demo_users import shown_user, write_history
from tacit_service.embedded import embedded
from tests.support.commands import SECRET, Running, running, tacit
from tests.support.conditions import eventually
from tests.support.ports import free_port
from tests.support.replays import redis_of_its_own, replay

WITHIN_S = 60


class Demo:
    """A demo in a folder: its command line, and calls with the key that it prints."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder / "demo", free_port()
        self.words = ["serve", "--embedded", "--demo", "--state", "demo", "--listen", f"127.0.0.1:{self.port}"]

    def wait_for_start(self, run: Running) -> None:
        run.wait_for(lambda: "Ctrl-C ends everything." in run.output and self._listens(), "the addresses")

    def user(self, run: Running) -> str:
        return self._printed(r"Page of (user-\d{6})", run)

    def call(self, run: Running, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Return status and document of a call."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {
            "Authorization": f"Bearer {self._printed('(tk_[A-Za-z0-9_-]{43})', run)}",
            "Content-Type": "application/json",
        }
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def processes(self) -> list[int]:
        """Return the pids of the workers: the processes that work in the folder."""
        return [int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit() and self._is_in_folder(path)]

    def _is_in_folder(self, process: Path) -> bool:
        try:
            return (process / "cwd").readlink() == self.folder
        except OSError:
            return False

    def _listens(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    @staticmethod
    def _printed(pattern: str, run: Running) -> str:
        found = re.search(pattern, run.output)
        assert found is not None, run.output
        return found[1]


@pytest.fixture
def demo(tmp_path: Path) -> Demo:
    return Demo(tmp_path)


def test_demo_survives_kills_of_the_worker_and_of_everything(demo: Demo, tmp_path: Path) -> None:
    """The choices of a user are there afterwards, and no process is left."""
    with running(demo.words, tmp_path / "output") as run:
        demo.wait_for_start(run)
        user = demo.user(run)
        pins = f"/v1/users/{user}/pins"
        assert demo.call(run, "PUT", f"{pins}/tone?wait=10", {"value": "formal"})[0] == 202
        (worker,) = demo.processes()
        os.kill(worker, signal.SIGKILL)
        status, sent = demo.call(run, "PUT", f"{pins}/length?wait=10", {"value": "detailed"})
        assert (status, sent["took_ms"] is not None) == (202, True)
        assert demo.processes() != [worker]
        refused = tacit(*demo.words[:-1], "127.0.0.1:0", cwd=tmp_path)
        assert (refused.returncode, "another service uses demo: stop it first" in refused.stderr) == (1, True)
        run.kill()
    eventually(lambda: not demo.processes(), within_s=WITHIN_S, what="the end of the worker")
    with running(demo.words, tmp_path / "output") as run:
        demo.wait_for_start(run)
        facets = demo.call(run, "GET", f"/v1/users/{user}")[1]["facets"]
        pinned = {each["facet"]: each["pin"]["value"] for each in facets if each["pin"]}
        assert (pinned["tone"], pinned["length"]) == ("formal", "detailed")
        assert run.stop() == 0, run.output
    assert not demo.processes()
    assert '"event": "worker.stopped"' in (demo.folder / "worker.log").read_text().splitlines()[-1]


def test_printed_addresses_answer_at_once(demo: Demo, tmp_path: Path) -> None:
    """Also where the system takes the port; an address in use is an error before anything starts."""
    words = [*demo.words[:-1], "127.0.0.1:0"]
    with running(words, tmp_path / "output") as run:
        run.wait_for(lambda: "Ctrl-C ends everything." in run.output, "the addresses")
        link = demo._printed(r"(http://127\.0\.0\.1:[1-9]\d*/page\?link=\S+)", run)
        assert httpx2.get(link, timeout=WITHIN_S).status_code == 200
        demo.port = urlsplit(link).port or 0
        assert demo.call(run, "POST", "/v1/links", {"user": demo.user(run)})[0] == 201
        refused = tacit("serve", "--embedded", "--listen", f"127.0.0.1:{demo.port}", "--state", "x", cwd=tmp_path)
        assert (refused.returncode, "cannot be bound" in refused.stderr) == (2, True)
        assert not (tmp_path / "x").exists()


@pytest.mark.skipif(shutil.which("curl") is None, reason="needs curl")
def test_printed_command_makes_a_link(demo: Demo, tmp_path: Path) -> None:
    with running(demo.words, tmp_path / "output") as run:
        demo.wait_for_start(run)
        words = shlex.split(next(line for line in run.output.splitlines() if line.startswith("  curl ")))
        made = subprocess.run([*words, "--silent"], capture_output=True, check=True)
        assert "/page?link=" in json.loads(made.stdout)["url"]


def test_deleted_data_is_in_no_explanation_and_export(demo: Demo, tmp_path: Path) -> None:
    """Until a checkpoint has the deletion, which a killed worker delays, the state folder has the data."""
    with running([*demo.words, "--rate-user", "1000"], tmp_path / "output") as run:
        demo.wait_for_start(run)
        user = f"/v1/users/{demo.user(run)}"
        eventually(lambda: demo.call(run, "GET", f"{user}/why")[0] == 200, within_s=WITHIN_S, what="a checkpoint")
        for deletion in (f"{user}/facets/tone?wait=10", f"{user}?wait=10"):
            assert demo.call(run, "DELETE", deletion)[1]["took_ms"] is not None
            assert [demo.call(run, "GET", f"{user}/{each}")[0] for each in ("why", "export")] == [503, 503]
        eventually(lambda: demo.call(run, "GET", f"{user}/why")[0] == 200, within_s=WITHIN_S, what="a checkpoint")
        assert demo.call(run, "GET", f"{user}/export")[1]["beliefs"] is None


def test_service_without_a_folder_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Log and state are in a temporary folder, and events of its log take effect."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    with embedded(Settings(embedded=True, population="none"), demo=False) as settings:
        assert settings.source is not None
        write_history(Path(settings.source).with_name("more.jsonl"), settings)
        lines = Path(settings.source).with_name("more.jsonl").read_bytes()
        with Path(settings.source).open("ab") as log:
            log.write(lines)
        with SignalReader(settings.redis, region="eu", secret=settings.secret_bytes) as reader:
            eventually(lambda: reader.get("user-000003").signals, within_s=WITHIN_S, what="signals")
        assert settings.state is not None
        assert settings.link_secret is not None
        assert next(iter(tmp_path.glob("tacit-service-*"))) in settings.state.parents
    assert not list(tmp_path.glob("tacit-service-*"))


def test_shown_user_has_a_pin_several_tiers_and_contexts(tmp_path: Path) -> None:
    """So that the page shows each kind of row."""
    settings = Settings(secret=SECRET)
    write_history(tmp_path / "events.jsonl", settings)
    with redis_of_its_own() as (url, _):
        settings = replace(settings, redis=url)
        assert shown_user(settings) is None
        replay(url, "events.jsonl", "--population", "learn", cwd=tmp_path)
        user = shown_user(settings)
        assert user is not None
        with SignalReader(url, region="eu", secret=settings.secret_bytes) as reader:
            signals = reader.get(user).signals.values()
    assert any(signal.source == "user" for signal in signals)
    assert len({signal.tier for signal in signals if signal.source == "learned"}) >= 2
    assert any(signal.contexts for signal in signals)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--demo"], "demo: needs the Redis and the log of --embedded"),
        (["--embedded", "--redis", "redis://127.0.0.1:1"], "redis: --embedded starts its own"),
        (["--embedded", "--source", "events.jsonl"], "source: --embedded starts its own"),
        (["--embedded", "--state", "."], "state: . is the state folder of a worker"),
    ],
    ids=["demo", "redis", "source", "state"],
)
def test_setting_that_does_not_fit_is_refused(words: list[str], problem: str, tmp_path: Path) -> None:
    """In one line, before a process starts."""
    (tmp_path / DESCRIPTION).touch()
    done = tacit("serve", *words, cwd=tmp_path)
    assert (done.returncode, problem in done.stderr) == (2, True)


def test_worker_that_cannot_start_is_one_error(tmp_path: Path) -> None:
    """With the last line of its output."""
    folder = tmp_path / "service"
    folder.mkdir()
    (folder / "state").write_text("no folder")
    done = tacit("serve", "--embedded", "--state", "service", cwd=tmp_path)
    assert done.returncode == 1
    assert "embedded worker: is not ready: tacit: " in done.stderr
