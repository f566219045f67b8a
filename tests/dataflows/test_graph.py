"""Dataflow: Bytewax runs the graph, with and without aborts."""

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

from dataflows.graph import ADAPT_STEP, FLOW_ID, LEARN_STEP, POPULATION_KEY, TRAIN_STEP, build
from operators.adapt import Adapt
from operators.key import Keyer
from operators.learn_population import LearnPopulation
from operators.parse import Parser
from operators.train import TrainShard
from state.counters import EventCounters, LearningCounters, Outcome
from state.errors import StateError
from state.events.records import AnyReject, Reason, Record, Reject
from state.learning.population_prior import CurrentPrior, Prior
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationVersion, PopulationWrite, decode_version
from state.learning.proof_report import ReportWrite
from state.learning.shard_training import ShardTraining
from state.storage.shard_stores import ShardStores
from state.user.writes import GateWrite, SignalWrite, Write
from tests.support.decoded_writes import Shown
from tests.support.factories import CATALOGUE, RULES, START_MS, make_event, make_record

SHARDS = 4
NOW_MS = START_MS + 10**9
TEACHING = replace(RULES, teaches=True, proves=True)


class Run:
    """Output of a dataflow over one execution or several."""

    def __init__(self, source: TestingSource[Record], folder: Path | None = None) -> None:
        self.writes: list[Write] = []
        self.versions: list[PopulationWrite | ReportWrite] = []
        self.rejects: list[Reject] = []
        self.control_rejects: list[Reject] = []
        self.trainer = PopulationTrainer(CATALOGUE)
        self.shared = CurrentPrior(Prior(CATALOGUE))
        self.counters = EventCounters()
        self.source = source
        self.folder = folder
        self.executions = 0

    def start(self, checkpoint_every: timedelta = timedelta(0)) -> None:
        """Run until the source ends or aborts; resume from the folder."""
        self.executions += 1
        recovery = RecoveryConfig(self.folder / "recovery") if self.folder else None
        with self.stores() as stores:
            run_main(self.flow(stores), epoch_interval=checkpoint_every, recovery_config=recovery)

    def stores(self) -> ShardStores:
        """Return the stores of this execution, with two cached users."""
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
            Keyer(parser, SHARDS, self.counters),
            lambda token: Adapt(stores, TEACHING, self.counters, parser, token, reclaims=True, clock=lambda: NOW_MS),
            self.train,
            self.learn,
            TestingSink(self.writes),
            TestingSink(self.versions),
            TestingSink(cast("list[AnyReject]", self.rejects)),
            TestingSink(cast("list[AnyReject]", self.control_rejects)),
        )

    def train(self, snapshot: bytes | None) -> TrainShard:
        training = ShardTraining(CATALOGUE, shards=SHARDS)
        return TrainShard(
            training, self.shared, LearningCounters(), shards=SHARDS, key=b"", snapshot=snapshot, clock=lambda: NOW_MS
        )

    def learn(self, snapshot: bytes | None) -> LearnPopulation:
        self.trainer = PopulationTrainer.unpack(snapshot, CATALOGUE) if snapshot else PopulationTrainer(CATALOGUE)
        return LearnPopulation(self.trainer, lambda _: None, LearningCounters(), clock=lambda: NOW_MS)

    def population(self) -> PopulationVersion:
        """Return the population version after the last execution."""
        return decode_version(self.trainer.publish(99).version)

    def shown(self) -> dict[bytes, dict[str, Any]]:
        """Return the fields of each user in Redis after the last execution."""
        users: dict[bytes, Shown] = {}
        for write in self.writes:
            users.setdefault(write.user, Shown()).take([write])
        return {user: shown.fields for user, shown in users.items()}


def events(length: int = 300) -> list[Record]:
    """Return records of some users: feedback, control events, and events to reject."""
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
    """Return an undisturbed run."""
    run = Run(TestingSource(EVENTS, batch_size=10))
    run.start()
    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a new state folder."""
    (tmp_path / "recovery").mkdir()
    init_db_dir(tmp_path / "recovery", 2)
    return tmp_path


def test_names_of_stored_state_are_fixed() -> None:
    """With another step name a run starts without state, with another flow name from the first record."""
    assert (FLOW_ID, ADAPT_STEP, TRAIN_STEP, LEARN_STEP) == ("adaptation", "adapt", "train", "learn_population")
    assert POPULATION_KEY == "population"
    run = Run(TestingSource([]))
    with run.stores() as stores:
        flow = run.flow(stores)
    assert flow.flow_id == "adaptation"
    assert [step.step_id for step in flow.substeps] == [
        "adaptation.source",
        "adaptation.key",
        "adaptation.keyed",
        "adaptation.adapt",
        "adaptation.taught",
        "adaptation.no_shard",
        "adaptation.adapted",
        "adaptation.signals",
        "adaptation.train",
        "adaptation.to_population",
        "adaptation.learn_population",
        "adaptation.no_key",
        "adaptation.versions",
        "adaptation.all_rejects",
        "adaptation.other_rejects",
        "adaptation.rejects",
        "adaptation.only_control_rejects",
        "adaptation.control_rejects",
    ]


def test_records_become_writes_and_rejects(steady: Run) -> None:
    """Each record is counted once."""
    assert steady.counters.total == len(EVENTS)
    assert {type(write) for write in steady.writes} == {SignalWrite, GateWrite}
    assert [reject.position for reject in steady.rejects] == [n for n in range(len(EVENTS)) if n % 50 == 49]
    assert {reject.reason for reject in steady.rejects} == {Reason.NOT_IN_CATALOGUE}
    assert len(steady.shown()) == 9


def test_late_event_reaches_the_rejects() -> None:
    """Rejects of the parser and of the stateful step reach one sink."""
    lines = [make_event(event_id="new"), make_event(event_id="old", at=START_MS - 2 * 86_400_000), make_event(at=-1)]
    run = Run(TestingSource([make_record(event, number) for number, event in enumerate(lines)], batch_size=3))
    run.start()
    assert sorted((reject.position, reject.reason) for reject in run.rejects) == [(1, Reason.LATE), (2, Reason.INVALID)]
    assert run.counters.outcomes[Outcome.ACCEPTED] == 1


def test_several_workers_write_the_same_signals(steady: Run) -> None:
    """The workers divide the shards."""
    run = Run(TestingSource(EVENTS, batch_size=10))
    with run.stores() as stores:
        cluster_main(run.flow(stores), [], 0, worker_count_per_proc=2)
    assert run.shown() == steady.shown()
    assert run.counters.total == len(EVENTS)


def with_aborts(records: Sequence[Record], positions: Sequence[int]) -> list[Any]:
    """Return the records with an abort before each of the positions."""
    out: list[Any] = []
    for number, record in enumerate(records):
        if number in positions:
            out.append(TestingSource.ABORT())
        out.append(record)
    return out


@pytest.mark.parametrize("checkpoint_s", [0, 0.05])
@pytest.mark.parametrize("aborts", [[5], [40, 41, 200], [20, 90, 151, 222, 299]])
def test_aborted_run_loses_and_repeats_no_feedback(
    steady: Run, aborts: list[int], checkpoint_s: float, folder: Path
) -> None:
    """Writes may be repeated, and the final fields are those of an undisturbed run.

    A checkpoint covers one batch or several. At an abort some shards have changes since their checkpoint, some have
    none, and some checkpoints have no committed token.
    """
    run = Run(TestingSource(with_aborts(EVENTS, aborts), batch_size=10), folder)
    for _ in range(len(aborts) + 1):
        run.start(timedelta(seconds=checkpoint_s))
    assert run.shown() == steady.shown()
    assert {reject.position for reject in run.rejects} == {reject.position for reject in steady.rejects}
    learned, undisturbed = run.population(), steady.population()
    assert learned.examples == undisturbed.examples > 150
    assert learned.features.keys() == undisturbed.features.keys()
    assert run.trainer.proof.report().answers == steady.trainer.proof.report().answers > 150


def test_resumed_run_repeats_only_uncommitted_batches(steady: Run, folder: Path) -> None:
    """With a commit after each batch, a resumed run repeats one or two batches."""
    run = Run(TestingSource(with_aborts(EVENTS, [200]), batch_size=10), folder)
    run.start()
    assert 150 < run.counters.total <= 200
    run.start()
    assert len(EVENTS) <= run.counters.total <= len(EVENTS) + 30
    assert len(run.writes) <= len(steady.writes) + 30


def test_shard_of_rejects_alone_has_no_state(folder: Path) -> None:
    """The shard gets its state with the first observation, in this run or a later one."""
    rejected = [make_record(make_event(topic="gossip"), number) for number in range(3)]
    accepted = [make_record(make_event(event_id=f"e{number}"), number) for number in range(3, 6)]
    run = Run(TestingSource([*rejected, TestingSource.ABORT(), *rejected, *accepted], batch_size=1), folder)
    run.start()
    assert len(run.rejects) == 3
    assert not (folder / "shards").exists()
    run.start()
    assert run.counters.outcomes[Outcome.ACCEPTED] == 3
    assert len(list((folder / "shards").iterdir())) == 1


def test_old_checkpoints_are_deleted(folder: Path) -> None:
    """A shard keeps at most three checkpoints and no work folder."""
    run = Run(TestingSource(EVENTS, batch_size=10), folder)
    run.start()
    counts = [len(list(shard.glob("c0*"))) for shard in (folder / "shards").iterdir()]
    assert len(counts) == SHARDS
    assert max(counts) <= 3  # the commit of the last one is not confirmed
    assert list(folder.glob("shards/*/work-*")) == []


def test_empty_recovery_store_is_an_error(folder: Path) -> None:
    """The run does not start silently without state."""
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
