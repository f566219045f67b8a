"""The demo: a simulated Copilot deployment through the real dataflow into a real Redis, and what Copilot then reads."""

import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from dataflows.job import Job
from dataflows.observability.logs import configure
from dataflows.runtime.replay import replay
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from tacit.errors import TacitError
from tacit.reader.adaptation import Adaptation
from tacit.reader.reader import SignalReader
from tacit_cli import console
from tacit_cli.progress import replay_progress
from tacit_cli.views.adaptation_panel import adaptation_panel
from tacit_cli.views.summary import replay_table, users_with_signals
from tacit_lab.embedded import EmbeddedRedis
from tacit_lab.simulate import Scenario, Truth, simulate
from tacit_lab.simulate.output import write_events

KNOWN_WELL = 20
"""Pieces of evidence from which a person counts as known well."""


class Score(NamedTuple):
    """How often a preferred value is right, over people and facets."""

    right: int
    asked: int

    def __str__(self) -> str:
        return f"{self.right / self.asked:.0%}" if self.asked else "–"


def run_demo(*, users: int, turns: int, seed: int) -> None:
    """Simulate, replay, show; everything lives in a temporary folder and an embedded Redis, and is gone afterwards."""
    catalogue = NumberedCatalogue.load()
    simulation = simulate(Scenario(end_ms=time.time_ns() // 1_000_000, users=users, turns=turns, seed=seed), catalogue)
    configure("error")
    with TemporaryDirectory(prefix="tacit-demo-") as folder, EmbeddedRedis() as server:
        events = Path(folder) / "events.jsonl"
        with console.err.status(f"Simulating {users:,} people and {turns:,} answers …"):
            write_events(simulation.events, str(events))
        rejects = str(Path(folder) / "rejects.jsonl")
        settings = Settings(redis=server.url, embedded=True, ttl=None, rejects=rejects)
        job = Job(settings, (events,), bounded=True)
        with replay_progress(job.source, hidden=False) as report:
            done = replay(job, report)
        if done.counters.stopped:
            raise TacitError("stopped before the end")
        console.out.print(Rule("What the dataflow did", align="left"))
        console.out.print(replay_table(done, users_with_signals(settings), settings, rejects_stay=False))
        _show_people(settings, catalogue, simulation.truth)
    console.out.print(_next_commands())


def _show_people(settings: Settings, catalogue: NumberedCatalogue, truth: Truth) -> None:
    with SignalReader(
        settings.redis, region=settings.region, secret=settings.secret_bytes, catalogue=catalogue
    ) as reader:
        people = reader.get_many(list(truth.users))
    console.out.print()
    console.out.print(Rule("What Copilot now reads of three people", align="left"))
    for title, user in _three(people):
        console.out.print(adaptation_panel(people[user], f"{user}: {title}", truth.best(user)))
    console.out.print()
    console.out.print(Rule("How often the preferred value is right", align="left"))
    console.out.print(_scores(people, truth, catalogue))


def _three(people: Mapping[str, Adaptation]) -> Iterator[tuple[str, str]]:
    """Name someone known well, someone who has set a facet, and someone whose taste changed."""

    def surest(user: str) -> tuple[int, float]:
        learned = [signal for signal in people[user].signals.values() if signal.source == "learned"]
        return sum(signal.tier == "apply" for signal in learned), sum(signal.evidence for signal in learned)

    ranked = sorted((user for user in people if people[user].signals), key=surest, reverse=True)
    taken: set[str] = set()
    picks: tuple[tuple[str, Callable[[Adaptation], bool]], ...] = (
        ("set a facet themselves", lambda a: any(s.source == "user" for s in a.signals.values())),
        ("changed their taste", lambda a: any(s.drift_at is not None for s in a.signals.values())),
        ("known well", lambda _: True),
    )
    for title, fits in picks:
        for user in ranked:
            if user not in taken and fits(people[user]):
                taken.add(user)
                yield title, user
                break


def _scores(people: Mapping[str, Adaptation], truth: Truth, catalogue: NumberedCatalogue) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("", *catalogue.facets, "all"):
        table.add_column(heading, justify="left" if not heading else "right")
    default = truth.population_default

    def row(name: str, guess: Callable[[str, str], str | None], style: str = "") -> None:
        scores = {facet: _score(people, truth, facet, guess) for facet in catalogue.facets}
        total = Score(sum(s.right for s in scores.values()), sum(s.asked for s in scores.values()))
        table.add_row(name, *map(str, scores.values()), str(total), style=style)

    def learned(least_evidence: float, least_confidence: float = 0.0) -> Callable[[str, str], str | None]:
        def guess(user: str, facet: str) -> str | None:
            signal = people[user].signals.get(facet)
            if signal is None or signal.confidence is None or signal.evidence < least_evidence:
                return None
            return signal.value if signal.confidence >= least_confidence else None

        return guess

    row("best single value for all", lambda _, facet: default[facet], "dim")
    row("Tacit, all with feedback", learned(0))
    row(f"Tacit, {KNOWN_WELL}+ feedbacks", learned(KNOWN_WELL))
    row("Tacit, confidence 0.8+", learned(0, 0.8), "bold")
    row("oracle", lambda user, facet: truth.preferred(user, facet), "dim")
    chances = truth.chances(lambda user: _greedy(people[user], default))
    likes = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("", "random", "best for all", "Tacit", "oracle"):
        likes.add_column(heading, justify="right" if heading else "left")
    figures = (chances.random, chances.population, chances.chosen, chances.oracle)
    likes.add_row("mean chance that an answer is liked", *(f"{chance:.3f}" for chance in figures))
    return Group(table, Text(), likes, Text())


def _score(
    people: Mapping[str, Adaptation], truth: Truth, facet: str, guess: Callable[[str, str], str | None]
) -> Score:
    guesses = [(user, value) for user in people if (value := guess(user, facet)) is not None]
    return Score(sum(truth.preferred(user, facet) == value for user, value in guesses), len(guesses))


def _greedy(adaptation: Adaptation, default: Mapping[str, str]) -> dict[str, str]:
    """Return what an assistant would serve: what a hint or more says, else the population's default."""
    said = {facet: signal.value for facet, signal in adaptation.signals.items() if signal.tier != "default"}
    return {**default, **said}


def _next_commands() -> RenderableType:
    lines = (
        ("tacit simulate --out events.jsonl", "make such a history"),
        ("tacit replay events.jsonl --embedded", "run it, or a file of yours"),
        ("tacit check", "what a worker here lacks"),
    )
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for command, what in lines:
        table.add_row(Text(f".venv/bin/{command}", style="bold cyan"), what)
    return Panel(table, title="Next", title_align="left", expand=False)
