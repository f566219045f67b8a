"""Population trainer: examples in, population versions out."""

import os
import subprocess
import sys
from math import sqrt
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state.errors import StateError
from state.events.observation import NONE
from state.learning import population_model as population_module
from state.learning.example import DirectedFeedback, Example
from state.learning.features import vote_share
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationVersion, decode_version
from state.learning.prediction import NOISE_VARIANCE
from state.learning.probit import normal_cdf
from state.learning.stacking import OWN_FACTOR
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


def residuals(trainer: PopulationTrainer) -> dict[str, float]:
    """Return the unreleased votes by feature."""
    return {name: one.block.residuals for name, one in trainer._population.features.items() if one.block}


def known(*slots: int, topic: int = NONE, item: int = 0) -> PopulationTrainer:
    """Return a trainer to which 20 users made the features of an answer public."""
    return learned([make_example(user, slots=slots, topic=topic, item=item) for user in range(1_000, 1_020)])


def test_vote_is_the_rest_of_the_prediction() -> None:
    """The user model's part counts with its factor."""
    one = replace(make_example(slots=(CONCISE,)), bias=0.25, shares={0: 0.5}, variance=0.2)
    trainer = known(CONCISE)
    expected = trainer._population.expect(["bias", "judged:0", "length=concise"])
    learned([one], trainer)
    p = normal_cdf((0.75 * OWN_FACTOR.mean + expected[0]) / sqrt(NOISE_VARIANCE + 0.2 + expected[1]))
    shares = sum(map(vote_share, ("bias", "judged:0", "length=concise")))
    assert residuals(trainer) == {
        name: pytest.approx((1 - p) * sqrt(vote_share(name) / shares))
        for name in ("bias", "judged:0", "length=concise")
    }


def test_narrowed_feedback_votes_on_its_facets_only() -> None:
    """Other facets and the bias are the rest of the prediction."""
    served = tuple(slots({"length": "concise", "format": "table"}))
    one = replace(make_example(slots=served), only=(CATALOGUE.facet_index["format"],))
    assert set(residuals(learned([one], known(*served)))) == {"format=table"}


def test_directed_feedback_moves_the_two_values_apart() -> None:
    """It is a dislike of the answer, but not of its item."""
    comparison = DirectedFeedback(BALANCED, CONCISE, 0.1, 0.2)
    trainer = known(BALANCED, CONCISE, topic=CODE, item=7)
    found = residuals(
        learned([make_example(liked=False, slots=(BALANCED,), topic=CODE, item=7, directed=(comparison,))], trainer)
    )
    assert found["length=concise"] == -found["length=balanced"] > 0
    assert found["topic:code&length=concise"] == -found["topic:code&length=balanced"] > 0
    assert found["bias"] < 0
    assert len(found) == 6


def test_tastes_of_users_are_found() -> None:
    """A thousand users like even items."""
    features = published(learned(tastes(20_000, users=1_000, items=6))).features
    items = [feature for feature in features if feature.startswith("item:")]
    assert len(items) == 6
    assert all((features[item].mean > 0) is (int(item[5:], 16) % 2 == 0) for item in items)


# Versions


def test_version_has_nothing_from_fewer_than_twenty_users() -> None:
    """Features, factors and scores of fewer users are left out."""
    few = learned([make_example(user) for user in [*range(19)] * 30])
    version_of_few = published(few)
    assert (version_of_few.features, version_of_few.factors, version_of_few.scores) == ({}, {}, None)
    assert few.prior.means == [0.0] * len(CATALOGUE.slots)
    enough = published(learned([make_example(99), make_example(98, item=7)], few), 2)
    assert set(enough.features) == {"bias", "judged:0", "length=concise"}
    assert set(enough.factors) == {"own", "own:length"}
    assert enough.scores is None
    assert few.scores is not None
    assert set(few.scores.facets) == {"length"}


def test_version_becomes_the_prior() -> None:
    """The prior has the digits of the version, and the count of unpublished examples starts again."""
    trainer = learned(EXAMPLES)
    assert (trainer.number, trainer.unpublished) == (0, 1_500)
    found = published(trainer, 7)
    assert (trainer.number, trainer.prior.number, trainer.unpublished) == (7, 7, 0)
    assert trainer.prior.means[CONCISE] == found.features["length=concise"].mean
    assert (found.n, found.examples, found.at) == (7, 1_500, EXAMPLES[-1].at_ms)


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
    "data", [b"", b"\3" + PopulationTrainer(CATALOGUE).pack()[1:], PopulationTrainer(CATALOGUE).pack()[:-1], b"\1"]
)
def test_foreign_bytes_are_an_error(data: bytes) -> None:
    """The error names the remedy."""
    with pytest.raises(StateError, match=r"layout .*replay history|damaged: .*restore"):
        PopulationTrainer.unpack(data, CATALOGUE)


def test_packed_trainer_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limits are the count of features, 512 bytes of contributors per feature, and 64 KiB of limits."""
    monkeypatch.setattr(population_module, "MAX_FEATURES", 200)
    monkeypatch.setattr(population_module, "_KEPT_FEATURES", 150)
    trainer, largest = PopulationTrainer(CATALOGUE), 0
    for n in range(6_000):
        trainer.learn(make_example(n % 1_500, item=n % 300 + 1))
        largest = max(largest, len(trainer.pack()) if n % 100 == 0 else 0)
    assert largest < 200 * 700 + 66_000


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
