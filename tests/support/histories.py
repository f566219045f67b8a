"""Events of a few users, the state folder of their replay, and the output of `tacit state`."""

from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.commands import SECRET, tacit
from tests.support.factories import make_event
from tests.support.replays import now_ms, redis_of_its_own, replay, write_lines

MINUTE_MS = 60_000
START_MS = now_ms() - 60 * MINUTE_MS
LIKED = {"served": {"length": "concise"}, "feedback": {"kind": "thumbs_up"}, "topic": "code"}
STORIES: Mapping[str, list[dict[str, Any]]] = {
    "u:ada": [
        {"type": "consent", "granted": True},
        *({"turn_id": f"t-{turn}", **LIKED} for turn in range(5)),
        {"type": "pin", "facet": "tone", "value": "formal"},
        {"type": "pin", "facet": "format", "value": "table"},
        {"type": "pin", "facet": "format", "value": None},
    ],
    "u:opted-out": [{"type": "consent", "granted": True}, LIKED, {"type": "consent", "granted": False}],
    "u:forgotten": [{"type": "consent", "granted": True}, LIKED, {"type": "forget"}],
    "u:pins-only": [{"type": "pin", "facet": "tone", "value": "formal"}],
}


def events() -> Iterator[dict[str, Any]]:
    """Yield the events of all users, those of a user one minute apart."""
    for user, story in STORIES.items():
        for number, event in enumerate(story):
            yield make_event(event_id=f"{user}-{number}", user_id=user, at=START_MS + number * MINUTE_MS, **event)


def make_state(folder: Path) -> None:
    """Replay the events with the state folder `state` in a folder."""
    with redis_of_its_own() as (url, _):
        history = write_lines(folder / "events.jsonl", events())
        replay(url, history, "--state", "state", "--namespace", "n", cwd=folder)


AUDIT = "audit.jsonl"
"""Audit of a command that reads about a user: without one, it warns."""


@cache
def printed(cwd: Path, *words: str) -> str:
    """Return the output of a command that succeeds."""
    done = tacit("state", *words, "--state", "state", cwd=cwd, TACIT_AUDIT=AUDIT)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refusal(cwd: Path, *words: str, secret: str = SECRET) -> str:
    """Return the one error line of a command that fails."""
    done = tacit("state", *words, "--state", "state", cwd=cwd, TACIT_SECRET=secret, TACIT_AUDIT=AUDIT)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line.removeprefix("tacit: ")
