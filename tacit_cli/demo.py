"""Demo: events of a simulated deployment, processed by the real dataflow into a real Redis."""

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

WELL_SUPPORTED = 5
"""Evidence from which a value counts as well supported."""


class Score(NamedTuple):
    """Share of correct preferred values, over users and facets."""

    right: int
    asked: int

    def __str__(self) -> str:
        return f"{self.right / self.asked:.0%}" if self.asked else "–"


def run_demo(*, users: int, turns: int, seed: int) -> None:
    """Simulate, replay and show, in a temporary folder and an embedded Redis that end with the demo."""
    catalogue = NumberedCatalogue.load()
    simulation = simulate(Scenario(end_ms=time.time_ns() // 1_000_000, users=users, turns=turns, seed=seed), catalogue)
    configure("error")
    with TemporaryDirectory(prefix="tacit-demo-") as folder, EmbeddedRedis() as server:
        events = Path(folder) / "events.jsonl"
        with console.err.status(f"Simulating {users:,} users and {turns:,} answers …"):
            write_events(simulation.events, str(events))
        rejects = str(Path(folder) / "rejects.jsonl")
        settings = Settings(redis=server.url, embedded=True, ttl=None, rejects=rejects)
        job = Job(settings, (events,), bounded=True)
        with replay_progress(job.files, hidden=False) as report:
            done = replay(job, report)
        if done.counters.stopped:
            raise TacitError("demo: stopped before the end")
        console.out.print(Rule("Result of the dataflow", align="left"))
        console.out.print(replay_table(done, users_with_signals(settings), settings, rejects_stay=False))
        _show_users(settings, catalogue, simulation.truth)
    console.out.print(_next_commands())


def _show_users(settings: Settings, catalogue: NumberedCatalogue, truth: Truth) -> None:
    with SignalReader(
        settings.redis, region=settings.region, secret=settings.secret_bytes, catalogue=catalogue
    ) as reader:
        adaptations = reader.get_many(list(truth.users))
    console.out.print()
    console.out.print(Rule("Signals of three users, as an assistant reads them", align="left"))
    for title, user in _three(adaptations):
        console.out.print(adaptation_panel(adaptations[user], f"{user}: {title}", truth.best(user)))
    console.out.print()
    console.out.print(Rule("Share of correct preferred values", align="left"))
    console.out.print(_scores(adaptations, truth, catalogue))


def _three(adaptations: Mapping[str, Adaptation]) -> Iterator[tuple[str, str]]:
    """Yield title and id of a user with a pin, one who is known little, and one who is known well."""

    def surest(user: str) -> tuple[int, float]:
        learned = [signal for signal in adaptations[user].signals.values() if signal.source == "learned"]
        return sum(signal.tier == "apply" for signal in learned), sum(signal.evidence for signal in learned)

    ranked = sorted((user for user in adaptations if adaptations[user].signals), key=surest, reverse=True)
    taken: set[str] = set()
    picks: tuple[tuple[str, list[str], Callable[[Adaptation], bool]], ...] = (
        ("set a facet", ranked, lambda a: any(s.source == "user" for s in a.signals.values())),
        ("known little", ranked[::-1], lambda a: any(s.source == "learned" for s in a.signals.values())),
        ("known well", ranked, lambda _: True),
    )
    for title, users, fits in picks:
        for user in users:
            if user not in taken and fits(adaptations[user]):
                taken.add(user)
                yield title, user
                break


def _scores(adaptations: Mapping[str, Adaptation], truth: Truth, catalogue: NumberedCatalogue) -> RenderableType:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("", *catalogue.facets, "all"):
        table.add_column(heading, justify="left" if not heading else "right")
    default = truth.population_default

    def row(name: str, guess: Callable[[str, str], str | None], style: str = "") -> None:
        scores = {facet: _score(adaptations, truth, facet, guess) for facet in catalogue.facets}
        total = Score(sum(s.right for s in scores.values()), sum(s.asked for s in scores.values()))
        table.add_row(name, *map(str, scores.values()), str(total), style=style)

    def learned(least_evidence: float, least_confidence: float = 0.0) -> Callable[[str, str], str | None]:
        def guess(user: str, facet: str) -> str | None:
            signal = adaptations[user].signals.get(facet)
            if signal is None or signal.confidence is None or signal.evidence < least_evidence:
                return None
            return signal.value if signal.confidence >= least_confidence else None

        return guess

    row("best single value for all", lambda _, facet: default[facet], "dim")
    row("Tacit, all with feedback", learned(0))
    row(f"Tacit, evidence {WELL_SUPPORTED}+", learned(WELL_SUPPORTED))
    row("Tacit, confidence 0.8+", learned(0, 0.8), "bold")
    row("oracle", lambda user, facet: truth.preferred(user, facet), "dim")
    chances = truth.chances(lambda user: _greedy(adaptations[user], default))
    likes = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("", "random", "best for all", "Tacit", "oracle"):
        likes.add_column(heading, justify="right" if heading else "left")
    figures = (chances.random, chances.population, chances.chosen, chances.oracle)
    likes.add_row("mean chance that an answer is liked", *(f"{chance:.3f}" for chance in figures))
    return Group(table, Text(), likes, Text())


def _score(
    adaptations: Mapping[str, Adaptation], truth: Truth, facet: str, guess: Callable[[str, str], str | None]
) -> Score:
    guesses = [(user, value) for user in adaptations if (value := guess(user, facet)) is not None]
    return Score(sum(truth.preferred(user, facet) == value for user, value in guesses), len(guesses))


def _greedy(adaptation: Adaptation, default: Mapping[str, str]) -> dict[str, str]:
    """Return the values that an assistant serves; for a facet without a signal, the default of the population."""
    chosen = adaptation.choose("demo", explore=False).values
    return {**default, **{facet: value for facet, value in chosen.items() if facet in adaptation.signals}}


def _next_commands() -> RenderableType:
    lines = (
        ("tacit simulate --out events.jsonl", "generate such a history"),
        ("tacit replay events.jsonl --embedded", "process it, or another file"),
        ("tacit check", "check what a worker needs"),
        ("tacit serve --embedded --demo", "serve the HTTP API and the page of a simulated user"),
    )
    table = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    for command, what in lines:
        table.add_row(Text(f".venv/bin/{command}", style="bold cyan"), what)
    return Panel(table, title="Next", title_align="left", expand=False)
