"""Population trainer: examples in, population versions out."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state.errors import StateError
from state.events.observation import NONE
from state.learning import population_model as population_module
from state.learning.example import DirectedFeedback, Example
from state.learning.features import Features
from state.learning.population_model import PopulationModel
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationVersion, decode_version
from state.learning.prediction import NOISE_VARIANCE
from tests.support.examples import make_example, tastes
from tests.support.factories import CATALOGUE, slots
from tests.support.sample_population import version

EXAMPLES = tastes(1_500, users=40, items=30)
CONCISE, BALANCED, DETAILED = CATALOGUE.facet_slots[0]
TABLE = CATALOGUE.slot_index["format"]["table"]
CODE = CATALOGUE.topic_index["code"]


def learned(examples: list[Example], trainer: PopulationTrainer | None = None) -> PopulationTrainer:
    trainer = trainer or PopulationTrainer(CATALOGUE)
    for example in examples:
        trainer.learn(example)
    return trainer


def published(trainer: PopulationTrainer, number: int = 1) -> PopulationVersion:
    return decode_version(trainer.publish(number).version)


# Training


def test_features_are_trained_together_with_the_user_model() -> None:
    """The user's part is the rest of the prediction."""
    one = replace(
        make_example(slots=(CONCISE,), topic=CODE, item=7, feedback_count=3),
        bias=0.25,
        shares={0: 0.5},
        variance=0.2,
        weight=0.4,
    )
    trainer, by_hand = learned([one]), PopulationModel()
    features = Features(CATALOGUE).of_answer((CONCISE,), CODE, NONE, 7, 3)
    by_hand.learn(features, True, 0.4, (0.75, NOISE_VARIANCE + 0.2))
    assert trainer._population.means == by_hand.means
    assert trainer._population.variances == by_hand.variances


def test_narrowed_feedback_trains_its_facets_only() -> None:
    """Other facets and the bias are the rest of the prediction, and do not change."""
    served = tuple(slots({"length": "concise", "format": "table"}))
    one = replace(make_example(slots=served, item=7), only=(CATALOGUE.facet_index["format"],))
    trainer = learned([make_example(slots=served, item=7), one])
    once = learned([make_example(slots=served, item=7)])
    moved = {feature for feature, mean in trainer._population.means.items() if mean != once._population.means[feature]}
    assert moved == {"format=table"}


def test_directed_feedback_moves_the_two_values_apart() -> None:
    """The bias and the item do not change."""
    comparison = DirectedFeedback(BALANCED, CONCISE, 0.1, 0.2)
    trainer = learned([make_example(liked=False, slots=(BALANCED, TABLE), topic=CODE, item=7, directed=(comparison,))])
    means = trainer._population.means
    assert means["length=concise"] == -means["length=balanced"] > 0
    assert means["topic:code&length=concise"] == -means["topic:code&length=balanced"] > 0
    assert len(means) == 4


def test_tastes_of_users_are_found() -> None:
    """All users like even items, and each value is liked by half of the users."""
    features = published(learned(EXAMPLES)).features
    items = [feature for feature in features if feature.startswith("item:")]
    assert len(items) > 20
    assert all((features[item].mean > 0) is (int(item[5:], 16) % 2 == 0) for item in items)
    assert abs(features["length=concise"].mean - features["length=balanced"].mean) < 0.15


# Versions


def test_version_has_nothing_from_fewer_than_twenty_users() -> None:
    """Features, stacking factors and scores of fewer users are left out."""
    few = learned([make_example(user) for user in [*range(19)] * 60])
    version_of_few = published(few)
    assert (version_of_few.features, version_of_few.factors, version_of_few.scores) == ({}, {}, None)
    assert few.prior.means == [0.0] * len(CATALOGUE.slots)
    enough = published(learned([make_example(99), make_example(98, item=7)], few), 2)
    assert set(enough.features) == {"bias", "judged:0", "length=concise"}
    assert set(enough.factors) == {"offset", "population", "own", "own:length"}
    assert enough.scores is not None
    assert set(enough.scores.facets) == {"length"}
    one = learned([make_example(7, slots=(TABLE,)) for _ in range(1_500)], few)
    assert set(one.scoring.gains) == {"length", "format"}
    alone = published(one, 3)
    assert alone.scores is not None
    assert set(alone.scores.facets) == {"length"}
    assert "format" not in alone.uninformative


def test_version_becomes_the_prior() -> None:
    """The prior has the digits of the version, and the count of unpublished examples starts again."""
    trainer = learned(EXAMPLES)
    assert (trainer.number, trainer.unpublished) == (0, 1_500)
    found = published(trainer, 7)
    assert (trainer.number, trainer.prior.number, trainer.unpublished) == (7, 7, 0)
    assert trainer.prior.means[CONCISE] == found.features["length=concise"].mean
    assert (found.n, found.examples, found.at) == (7, 1_500, EXAMPLES[0].at_ms)


def test_trainer_starts_from_a_version_or_adopts_it() -> None:
    """A new trainer starts from the version; a trainer with examples only adopts the prior, and never an older one."""
    found = published(learned(EXAMPLES), 7)
    new = PopulationTrainer(CATALOGUE)
    new.start_from(found)
    assert (new.number, new.prior.number) == (7, 7)
    again = published(new, 8)
    assert (again.features, again.factors, again.examples, again.at) == (
        found.features,
        found.factors,
        found.examples,
        found.at,
    )
    new.adopt(version(3))
    assert new.prior.number == 8
    busy = learned(EXAMPLES[:100])
    busy.adopt(found)
    assert busy.prior.number == 7
    assert published(busy, 8).features != found.features


# Continuing


@settings(max_examples=15)
@given(st.integers(0, len(EXAMPLES)))
def test_restart_does_not_change_the_result(cut: int) -> None:
    """The result does not depend on the place of the restart."""
    trainer = learned(EXAMPLES[:cut])
    twin = PopulationTrainer.unpack(trainer.pack(), CATALOGUE)
    assert twin.pack() == trainer.pack()
    learned(EXAMPLES[cut:], trainer)
    learned(EXAMPLES[cut:], twin)
    one, other = published(trainer), published(twin)
    assert (one.features, one.factors, one.uninformative) == (other.features, other.factors, other.uninformative)


def test_number_survives_a_restart() -> None:
    """The version itself comes from the store."""
    trainer = learned(EXAMPLES)
    found = published(trainer, 7)
    twin = PopulationTrainer.unpack(trainer.pack(), CATALOGUE)
    assert (twin.number, twin.prior.number) == (7, 0)
    twin.adopt(found)
    assert (twin.number, twin.prior.number) == (7, 7)
    assert twin.pack() == trainer.pack()


@pytest.mark.parametrize(
    "data", [b"", b"\2" + PopulationTrainer(CATALOGUE).pack()[1:], PopulationTrainer(CATALOGUE).pack()[:-1], b"\1"]
)
def test_foreign_bytes_are_an_error(data: bytes) -> None:
    """The error names the remedy."""
    with pytest.raises(StateError, match=r"layout .*replay history|damaged: .*restore"):
        PopulationTrainer.unpack(data, CATALOGUE)


def test_packed_trainer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are the count of features and 19 hashes per feature, for any number of items and users."""
    monkeypatch.setattr(population_module, "MAX_FEATURES", 200)
    monkeypatch.setattr(population_module, "_KEPT_FEATURES", 150)
    trainer, largest = PopulationTrainer(CATALOGUE), 0
    for n in range(3_000):
        trainer.learn(make_example(n % 500, item=n % 1_000 + 1))
        largest = max(largest, len(trainer.pack()) if n % 100 == 0 else 0)
    assert largest < 200 * 130


_PRINT = """
from tests.state.learning.test_population_trainer import EXAMPLES, learned, narrowed
trainer = learned(narrowed(EXAMPLES))
print(trainer.publish(1).version.hex(), trainer.pack().hex())
"""


def narrowed(examples: list[Example]) -> list[Example]:
    """Return examples of two facets, every second one narrowed to the first facet."""
    return [
        replace(one, slots=(*one.slots, TABLE), shares={0: 0.1, 1: 0.2}, only=(0,) if n % 2 else ())
        for n, one in enumerate(examples)
    ]


def test_version_and_state_have_the_same_bytes_in_each_process() -> None:
    """Python's hash seed has no influence."""
    found = [
        subprocess.run(
            [sys.executable, "-c", _PRINT],
            cwd=Path(__file__).parents[3],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    ]
    assert len(set(found)) == 1
    assert decode_version(bytes.fromhex(found[0].split()[0].decode())).examples == 1_500
