"""dataflows/graph: the one graph, run by Bytewax, also with an end that no snapshot saw coming."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any, cast

import pytest
from bytewax.dataflow import Dataflow
from bytewax.errors import BytewaxRuntimeError
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSink, TestingSource, cluster_main, run_main

from dataflows.graph import ADAPT_STEP, FLOW_ID, LEARN_STEP, POPULATION_KEY, build
from operators.adapt import Adapt
from operators.learn_population import LearnPopulation
from operators.parse import Parser
from state.counters import EventCounters, LearningCounters, Outcome
from state.errors import StateError
from state.events.records import AnyReject, Reason, Record, Reject
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationVersion, PopulationWrite, decode_version
from state.storage.shard_stores import ShardStores
from state.user.writes import GateWrite, SignalWrite, Write
from tests.support.decoded_writes import Shown
from tests.support.factories import CATALOGUE, RULES, START_MS, make_event, make_record

SHARDS = 4
NOW_MS = START_MS + 10**9
TEACHING = replace(RULES, teaches=True)


class Run:
    """What a flow puts out, over one execution or several."""

    def __init__(self, source: TestingSource[Record], folder: Path | None = None) -> None:
        self.writes: list[Write] = []
        self.versions: list[PopulationWrite] = []
        self.rejects: list[Reject] = []
        self.trainer = PopulationTrainer(CATALOGUE)
        self.counters = EventCounters()
        self.source = source
        self.folder = folder
        self.executions = 0

    def start(self, epoch: timedelta = timedelta(0)) -> None:
        """Run until the source ends or aborts, going on from what is in the folder."""
        self.executions += 1
        recovery = RecoveryConfig(self.folder / "recovery") if self.folder else None
        with self.stores() as stores:
            run_main(self.flow(stores), epoch_interval=epoch, recovery_config=recovery)

    def stores(self) -> ShardStores:
        """Return the stores of this execution, with few people in memory."""
        shards = self.folder / "shards" if self.folder else None
        return ShardStores(shards, SHARDS, CATALOGUE, f"{self.executions:08d}", cached_users=2)

    def flow(self, stores: ShardStores) -> Dataflow:
        parser = Parser(
            catalogue=CATALOGUE,
            region="eu",
            secret=b"0123456789abcdef",
            shards=SHARDS,
            counters=self.counters,
            clock=lambda: NOW_MS,
        )
        return build(
            self.source,
            parser,
            lambda token: Adapt(stores, TEACHING, self.counters, token, reclaims=True, clock=lambda: NOW_MS),
            self.learn,
            TestingSink(self.writes),
            TestingSink(self.versions),
            TestingSink(cast("list[AnyReject]", self.rejects)),
        )

    def learn(self, snapshot: bytes | None) -> LearnPopulation:
        self.trainer = PopulationTrainer.unpack(snapshot, CATALOGUE) if snapshot else PopulationTrainer(CATALOGUE)
        return LearnPopulation(self.trainer, lambda _: None, LearningCounters(), clock=lambda: NOW_MS)

    def population(self) -> PopulationVersion:
        """Return what is believed of everybody then."""
        return decode_version(self.trainer.publish(99).version)

    def shown(self) -> dict[bytes, dict[str, Any]]:
        """Return what Redis shows of each person then."""
        people: dict[bytes, Shown] = {}
        for write in self.writes:
            people.setdefault(write.user, Shown()).take([write])
        return {user: person.fields for user, person in people.items()}


def events(length: int = 300) -> list[Record]:
    """Return some people's records: feedback, words of theirs, and what is to be rejected."""
    random = Random(3)
    records = []
    for number in range(length):
        fields: dict[str, Any] = {"served": {name: random.choice(f.values) for name, f in CATALOGUE.facets.items()}}
        fields["feedback"] = {"kind": random.choice(CATALOGUE.feedback_names)}
        if number % 40 == 39:
            fields = random.choice(
                [
                    {"type": "forget"},
                    {"type": "pin", "facet": "tone", "value": "formal"},
                    {"type": "consent", "granted": False},
                ]
            )
        if number % 50 == 49:
            fields = {"topic": "gossip"}
        event = make_event(
            event_id=f"e{number}", user_id=f"u{random.randrange(9)}", at=START_MS + number * 1000, **fields
        )
        records.append(make_record(event, number))
    return records


EVENTS = events()


@pytest.fixture(scope="module")
def steady() -> Run:
    """Return a run without any trouble."""
    run = Run(TestingSource(EVENTS, batch_size=10))
    run.start()
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a state folder in which nothing is kept yet."""
    (tmp_path / "recovery").mkdir()
    init_db_dir(tmp_path / "recovery", 2)
    return tmp_path


def test_names_that_saved_state_is_found_by_are_pinned() -> None:
    """Another step name would silently start from no state, another flow name from the first record."""
    assert (FLOW_ID, ADAPT_STEP, LEARN_STEP) == ("adaptation", "adapt", "learn_population")
    assert POPULATION_KEY == "population"
    run = Run(TestingSource([]))
    with run.stores() as stores:
        flow = run.flow(stores)
    assert flow.flow_id == "adaptation"
    assert [step.step_id for step in flow.substeps] == [
        "adaptation.source",
        "adaptation.parse",
        "adaptation.parsed",
        "adaptation.adapt",
        "adaptation.no_shard",
        "adaptation.adapted",
        "adaptation.taught",
        "adaptation.signals",
        "adaptation.to_population",
        "adaptation.learn_population",
        "adaptation.no_key",
        "adaptation.versions",
        "adaptation.all_rejects",
        "adaptation.rejects",
    ]


def test_records_come_out_as_writes_and_rejects(steady: Run) -> None:
    """Each where it belongs, and each record counted once."""
    assert steady.counters.total == len(EVENTS)
    assert {type(write) for write in steady.writes} == {SignalWrite, GateWrite}
    assert [reject.position for reject in steady.rejects] == [n for n in range(len(EVENTS)) if n % 50 == 49]
    assert {reject.reason for reject in steady.rejects} == {Reason.NOT_IN_CATALOGUE}
    assert len(steady.shown()) == 9


def test_late_event_reaches_the_rejects() -> None:
    """The state turns it away, behind the exchange; it ends where those do that parsing turned away."""
    lines = [make_event(event_id="new"), make_event(event_id="old", at=START_MS - 2 * 86_400_000), make_event(at=-1)]
    run = Run(TestingSource([make_record(event, number) for number, event in enumerate(lines)], batch_size=3))
    run.start()
    assert sorted((reject.position, reject.reason) for reject in run.rejects) == [(1, Reason.LATE), (2, Reason.INVALID)]
    assert run.counters.outcomes[Outcome.ACCEPTED] == 1


def test_several_workers_write_the_same(steady: Run) -> None:
    """Each has some of the shards."""
    run = Run(TestingSource(EVENTS, batch_size=10))
    with run.stores() as stores:
        cluster_main(run.flow(stores), [], 0, worker_count_per_proc=2)
    assert run.shown() == steady.shown()
    assert run.counters.total == len(EVENTS)


def with_aborts(records: Sequence[Record], places: Sequence[int]) -> list[Any]:
    """Return the records with an abort before each of these places."""
    out: list[Any] = []
    for number, record in enumerate(records):
        if number in places:
            out.append(TestingSource.ABORT())
        out.append(record)
    return out


@pytest.mark.parametrize("epoch_s", [0, 0.05])
@pytest.mark.parametrize("aborts", [[5], [40, 41, 200], [20, 90, 151, 222, 299]])
def test_aborted_run_resumes_without_losing_or_learning_twice(
    steady: Run, aborts: list[int], epoch_s: float, folder: Path
) -> None:
    """Output may be repeated, but what is shown in the end is what a run without trouble shows.

    Whether each batch is an epoch or several are: an abort finds shards that were touched since their checkpoint, some
    that were not, and checkpoints whose tokens were never committed.
    """
    run = Run(TestingSource(with_aborts(EVENTS, aborts), batch_size=10), folder)
    for _ in range(len(aborts) + 1):
        run.start(timedelta(seconds=epoch_s))
    assert run.shown() == steady.shown()
    assert {reject.position for reject in run.rejects} == {reject.position for reject in steady.rejects}
    learned, undisturbed = run.population(), steady.population()
    assert learned.examples == undisturbed.examples > 150
    assert learned.terms.keys() == undisturbed.terms.keys()


def test_resumed_run_repeats_only_what_was_not_committed(steady: Run, folder: Path) -> None:
    """With a commit after each batch that is a batch or two, not all of it."""
    run = Run(TestingSource(with_aborts(EVENTS, [200]), batch_size=10), folder)
    run.start()
    assert 150 < run.counters.total <= 200
    run.start()
    assert len(EVENTS) <= run.counters.total <= len(EVENTS) + 30
    assert len(run.writes) <= len(steady.writes) + 30


def test_few_checkpoints_stay(folder: Path) -> None:
    """However many epochs there were; and nothing of the work."""
    run = Run(TestingSource(EVENTS, batch_size=10), folder)
    run.start()
    counts = [len(list(shard.glob("c0*"))) for shard in (folder / "shards").iterdir()]
    assert len(counts) == SHARDS
    assert max(counts) <= 3  # the last one is not proved
    assert list(folder.glob("shards/*/work-*")) == []


def test_recovery_store_that_was_emptied_is_refused(folder: Path) -> None:
    """Everybody would be a stranger, in silence."""
    run = Run(TestingSource(EVENTS, batch_size=10), folder)
    run.start()
    for part in (folder / "recovery").iterdir():
        part.unlink()
    init_db_dir(folder / "recovery", 2)
    with pytest.raises(BytewaxRuntimeError) as caught:
        run.start()
    cause = caught.value.__cause__
    assert isinstance(cause, StateError)
    assert "but the recovery store next to it knows of none: restore the whole state folder from one backup" in str(
        cause
    )
