"""A few people's stories, the state folder that they leave, and what `tacit state` says of it."""

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
    """Yield the stories, each event a minute after the one before it."""
    for person, story in STORIES.items():
        for place, event in enumerate(story):
            yield make_event(event_id=f"{person}-{place}", user_id=person, at=START_MS + place * MINUTE_MS, **event)


def tell(folder: Path) -> None:
    """Make `state` in a folder, as the stories leave it."""
    with redis_of_its_own() as (url, _):
        history = write_lines(folder / "events.jsonl", events())
        replay(url, history, "--state", "state", "--namespace", "n", cwd=folder)


@cache
def printed(cwd: Path, *words: str) -> str:
    """Return what a command prints that is done well."""
    done = tacit("state", *words, "--state", "state", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def refusal(cwd: Path, *words: str, secret: str = SECRET) -> str:
    """Return the one line in which a command was refused."""
    done = tacit("state", *words, "--state", "state", cwd=cwd, TACIT_SECRET=secret)
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    return line.removeprefix("tacit: ")
