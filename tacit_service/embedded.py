"""Embedded mode of the service: a Redis, an event log and a worker of the same lifetime.

DIR/events.jsonl   event log, with control events
DIR/state/         state folder of the worker
DIR/rejects.jsonl  rejects of the worker
DIR/worker.log     output of the worker
DIR/audit.jsonl    audit of managed actions
DIR/receipts.jsonl receipts of verified forgets
DIR/keys.jsonl     hash of the key that a demo prints
DIR/service.lock   lock of the service that uses the folder

Redis keeps nothing: after a new start the worker restores it from its state.
"""

import fcntl
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path

import msgspec
from rich.text import Text

from connectors.files.appending import append_lines
from dataflows.settings import Settings
from dataflows.state_folder import DESCRIPTION
from state.durable import write_file
from state.errors import StateError
from state.temporary import temporary_folder
from tacit.errors import ConfigurationError
from tacit_cli import console
from tacit_lab.embedded import EmbeddedRedis
from tacit_service.access.callers import SCOPES
from tacit_service.access.key_file import hashed, new_key
from tacit_service.access.links import MAX_LINK_S, Links, Visitor
from tacit_service.demo_users import shown_user, write_history
from tacit_service.embedded_worker import EmbeddedWorker

_LOG, _STATE, _KEYS, _LOCK = "events.jsonl", "state", "keys.jsonl", "service.lock"
_DEMO_KEY = "demo"


@contextmanager
def embedded(settings: Settings, *, demo: bool) -> Iterator[Settings]:
    """Yield the settings of a service over a Redis, a log and a worker that end with the context.

    The folder of `settings.state` keeps log and state for a later start; the default is a temporary folder. A
    demo begins with the history of simulated users, and prints addresses and a key.

    Raises:
        ConfigurationError: a setting does not fit the embedded mode.
        StateError: another service uses the folder.
        TacitError: Redis or the worker did not start.
    """
    _check(settings)
    with ExitStack() as stack:
        folder = settings.state or stack.enter_context(temporary_folder("tacit-service-"))
        stack.enter_context(_locked(folder))
        log = folder / _LOG
        if demo and not (log.exists() and log.stat().st_size):
            write_history(log, settings)
        append_lines(log, [])  # makes the log, and ends a line that a crash cut off
        server = stack.enter_context(EmbeddedRedis())
        worker = stack.enter_context(EmbeddedWorker(folder, replace(settings, redis=server.url)))
        served = replace(
            settings,
            redis=server.url,
            source=str(log),
            state=folder / _STATE,
            link_secret=settings.link_secret or secrets.token_hex(32),
            worker_metrics=(f"http://{worker.metrics}",),
            audit=settings.audit or str(folder / "audit.jsonl"),
            receipts=settings.receipts or str(folder / "receipts.jsonl"),
        )
        yield _with_demo(served, folder) if demo else served


def _check(settings: Settings) -> None:
    if not settings.embedded:
        raise ConfigurationError(["demo: needs the Redis and the log of --embedded; add it"])
    problems = [
        f"{name}: --embedded starts its own; leave one of the two out"
        for name in ("source", "redis", "worker_metrics")
        if name in settings.given
    ]
    if settings.state is not None and (settings.state / DESCRIPTION).exists():
        problems.append(f"state: {settings.state} is the state folder of a worker; give a folder for log and state")
    if problems:
        raise ConfigurationError(problems)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / _LOCK).open("a")
    except OSError as error:
        raise StateError(f"{folder} cannot be used: {error.strerror}; make it writable, or give another") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"another service uses {folder}: stop it first, or give another folder") from None
        yield


def _with_demo(settings: Settings, folder: Path) -> Settings:
    """Print addresses and a key of a demo, and return the settings with the key."""
    user = shown_user(settings)
    if user is None or settings.link_secret is None:
        raise ConfigurationError([f"demo: the log in {folder} is not of a demo; give --demo a new folder"])
    url = (settings.public_url or f"http://{settings.listen}").rstrip("/")
    link, _ = Links(settings.link_secret).link(Visitor(user, None), MAX_LINK_S)
    lines = [
        f"Page of {user}, for {MAX_LINK_S // 60} minutes:  {url}/page?link={link}",
        f"Console of operators:  {url}/console",
    ]
    if settings.keys is None:
        key, keys = new_key(), folder / _KEYS
        write_file(keys, msgspec.json.encode(hashed(key, _DEMO_KEY, list(SCOPES))) + b"\n")
        settings = replace(settings, keys=keys)
        lines += [
            f"Key for both and for curl:  {key}",
            "A new link:",
            f"  curl {url}/v1/links -H 'Authorization: Bearer {key}' --json '{{\"user\": \"{user}\"}}'",
        ]
    console.out.print(Text("\n".join([*lines, "Ctrl-C ends everything."])), soft_wrap=True)
    return settings
