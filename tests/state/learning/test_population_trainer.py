"""Population trainer with the training of a shard: examples in, population versions out."""

import os
import subprocess
import sys
from math import fsum, sqrt
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from state.errors import StateError
from state.learning import population_model as population_module
from state.learning import population_state, shard_votes
from state.learning.contributors import Contributors
from state.learning.encryption import encrypt
from state.learning.example import DirectedFeedback, Example, Logged
from state.learning.features import vote_share
from state.learning.population_prior import Prior
from state.learning.population_trainer import PopulationTrainer
from state.learning.population_version import PopulationVersion, decode_version
from state.learning.prediction import NOISE_VARIANCE
from state.learning.probit import normal_cdf
from state.learning.shard_votes import SEASON_MS
from tests.support.examples import make_example, tastes
from tests.support.factories import CATALOGUE, START_MS, slots
from tests.support.sample_population import version
from tests.support.training import Training, delta_of

EXAMPLES = tastes(1_500, users=40, items=30)
CONCISE, BALANCED, DETAILED = CATALOGUE.facet_slots[0]
TABLE = CATALOGUE.slot_index["format"]["table"]
CODE = CATALOGUE.topic_index["code"]


def learned(examples: list[Example], training: Training | None = None) -> Training:
    training = training or Training()
    for example in examples:
        training.learn(example)
    return training


def published(training: Training, number: int = 1) -> PopulationVersion:
    return decode_version(training.publish(number).version)


# Training


def votes(example: Example) -> dict[str, float]:
    """Return the votes of an example, by feature."""
    return {name: block.residuals for name, block in learned([example]).blocks().items()}


def test_vote_is_the_rest_of_the_prediction() -> None:
    """Without a version each part has the factor 1; shares start as those of `vote_share`."""
    one = replace(make_example(slots=(CONCISE,), feedback_count=1), bias=0.25, shares={0: 0.5}, variance=0.2)
    p = normal_cdf(0.75 / sqrt(NOISE_VARIANCE + 0.2 + 0.3))
    names = ("judged:1", "length=concise")
    shares = sum(map(vote_share, names))
    assert votes(one) == {name: pytest.approx((1 - p) * sqrt(vote_share(name) / shares)) for name in names}


def test_votes_of_a_feedback_have_squares_of_one_in_sum() -> None:
    """Of a user's first feedback, of later feedback, and of features on which the user has not voted before."""
    served = tuple(slots({"length": "concise", "format": "table"}))
    training = Training()
    for count, item in enumerate((7, 8, 9)):
        squares = {name: block.squares for name, block in training.blocks().items()}
        training.learn(make_example(feedback_count=count, slots=served, topic=CODE, item=item))
        after = {name: block.squares for name, block in training.blocks().items()}
        assert sum(after.values()) - sum(squares.values()) == pytest.approx(1.0)


def test_confidence_has_a_part_of_the_same_feedback() -> None:
    """The runner-up was served, so the feature of its confidence votes with the opposite sign."""
    logged = Logged([(BALANCED, 0.03, BALANCED)], opens=True)
    served = make_example(feedback_count=1, slots=(BALANCED,), topic=CODE)
    for one in (served, replace(served, feedback_count=0), replace(served, only=(CATALOGUE.slot_facets[BALANCED],))):
        cast = votes(replace(one, logged=logged))
        squares = [block.squares for block in learned([replace(one, logged=logged)]).blocks().values()]
        assert cast["sure:1"] < 0 < cast["length=balanced"]
        assert fsum(squares) == pytest.approx(1.0)


def test_first_feedback_votes_on_defaults() -> None:
    """Later feedback is of values that the user likes, and votes on no default; so do facets without a default."""
    first, later = (votes(make_example(feedback_count=count, slots=(CONCISE,))) for count in (0, 1))
    assert first["default:length=concise"] == pytest.approx(0.5 * sqrt(0.5))
    assert "default:length=concise" not in later


def test_narrowed_feedback_votes_on_its_facets_only() -> None:
    """Other facets and the bias are the rest of the prediction."""
    served = tuple(slots({"length": "concise", "format": "table"}))
    one = replace(make_example(slots=served), only=(CATALOGUE.facet_index["format"],))
    assert set(votes(one)) == {"format=table"}


def test_directed_feedback_moves_the_two_values_apart() -> None:
    """It is no vote on the answer as a whole, nor on its item."""
    comparison = DirectedFeedback(BALANCED, CONCISE, 0.1, 0.2)
    found = votes(make_example(liked=False, slots=(BALANCED,), topic=CODE, item=7, directed=(comparison,)))
    assert found["length=concise"] == -found["length=balanced"] > 0
    assert found["topic:code&length=concise"] == -found["topic:code&length=balanced"] > 0
    assert len(found) == 4


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
    assert set(enough.features) == {"bias", "default:length=concise", "judged:0", "length=concise"}
    assert set(enough.factors) == {"offset", "population", "own", "own:length"}
    assert enough.scores is None
    assert few.trainer.scores is not None
    assert set(few.trainer.scores.facets) == {"length"}


def test_version_becomes_the_prior() -> None:
    """The prior has the digits of the version, and the count of unpublished examples starts again."""
    training = learned(EXAMPLES)
    trainer = training.trainer
    assert (trainer.number, trainer.unpublished) == (0, 1_500)
    found = published(training, 7)
    assert (trainer.number, trainer.prior.number, trainer.unpublished) == (7, 7, 0)
    assert trainer.prior.means[CONCISE] == found.features["length=concise"].mean
    assert (found.n, found.examples, found.at) == (7, 1_500, EXAMPLES[-1].at_ms)


def test_trainer_starts_from_a_version_or_adopts_it() -> None:
    """A new trainer starts from the version; a trainer with examples only adopts the prior, and never an older one."""
    found = published(learned(EXAMPLES), 7)
    new = Training()
    new.start_from(found)
    assert (new.trainer.number, new.prior.number) == (7, 7)
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
    twin = Training.unpack(trainer.pack())
    assert twin.pack() == trainer.pack()
    learned(EXAMPLES[cut:], trainer)
    learned(EXAMPLES[cut:], twin)
    one, other = published(trainer), published(twin)
    assert (one.features, one.factors, one.uninformative) == (other.features, other.factors, other.uninformative)


def test_number_survives_a_restart() -> None:
    """The version itself comes from the store."""
    trainer = learned(EXAMPLES)
    found = published(trainer, 7)
    twin = Training.unpack(trainer.pack())
    assert (twin.trainer.number, twin.prior.number) == (7, 0)
    twin.adopt(found)
    assert (twin.trainer.number, twin.prior.number) == (7, 7)
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
    monkeypatch.setattr(shard_votes, "LEAST_FEATURES", 400)
    monkeypatch.setattr(shard_votes, "MAX_FEATURES", 400)
    trainer, largest = Training(), 0
    for n in range(6_000):
        trainer.learn(make_example(n % 1_500, item=n % 300 + 1))
        largest = max(largest, len(trainer.pack()) if n % 100 == 0 else 0)
    assert largest < 200 * 700 + 66_000


# Privacy of the stored state, forgets, and topics that become sensitive

USER = (999).to_bytes(16, "big")


def test_popularity_of_an_item_survives_restart_and_start_from_a_version() -> None:
    """Sixty users are step 2; the item of nineteen users is in no version."""
    items = [make_example(n, item=7) for n in range(60)] + [make_example(n, item=8) for n in range(19)]
    trainer = learned(items)
    version = published(trainer)
    assert version.popularity == {"item:00000007": 2}
    started = Training()
    started.start_from(version)
    for again in (Training.unpack(trainer.pack()), started):
        assert published(again, 2).popularity == version.popularity


def test_contributors_of_items_are_set_by_the_catalogue() -> None:
    """Other features need twenty users."""
    catalogue = replace(CATALOGUE, items=replace(CATALOGUE.items, contributors=5))
    trainer = learned([make_example(n, item=7, topic=CODE) for n in range(6)], Training(catalogue))
    assert set(published(trainer).features) == {"item:00000007"}
    resumed = Training.unpack(trainer.pack(), catalogue)
    for n in range(10, 15):
        resumed.learn(make_example(n, item=8))
    assert set(published(resumed, 2).features) == {"item:00000007", "item:00000008"}


def test_stored_state_shows_no_votes_without_the_key() -> None:
    """Released beliefs are in the clear; features of few users, contributors and votes are encrypted."""
    trainer = learned([make_example(n, item=7) for n in range(30)] + [make_example(999, item=0xABCDEF01)])
    data = trainer.trainer.pack()
    assert b"item:00000007" in data
    assert b"abcdef01" not in data
    assert set(PopulationTrainer.unpack(data, CATALOGUE, b"other")._population.features) == {
        "bias", "default:length=concise", "judged:0", "length=concise", "item:00000007", "popularity:0"
    }  # fmt: skip


def test_forget_leaves_no_feature_of_the_user_below_the_threshold() -> None:
    """A resumed trainer forgets as well, and equals one that never had the user's rare features."""
    others = [make_example(n) for n in range(60)]
    with_user = learned([*others, make_example(999, item=5, slots=(TABLE,))])
    twin = Training.unpack(with_user.pack())
    for trainer in (with_user, twin):
        trainer.forget(USER)
        assert set(trainer.features) == {"bias", "default:length=concise", "judged:0", "length=concise"}
    assert twin.pack() == with_user.pack()
    assert published(twin).features == published(learned(others)).features


def test_topic_that_becomes_sensitive_is_dropped() -> None:
    """It leaves the stored trainer, the next version, and the prior of a version that names it."""
    examples = [make_example(n, topic=CODE) for n in range(120)]
    before = learned(examples)
    version_before = published(before)
    assert "topic:code&length=concise" in version_before.features
    sensitive = replace(CATALOGUE, topics=replace(CATALOGUE.topics, sensitive=("code",)))
    after = Training.unpack(before.pack(), sensitive)
    after.adopt(version_before)
    assert after.trainer.must_publish
    assert "topic:code" not in str(after.features.keys())
    version_after = published(after, 2)
    assert after.prior.number == 2
    assert b"topic:code" not in after.pack()
    assert not [name for name in version_after.features if "topic:code" in name]
    assert Prior(sensitive, version_before).expect((CONCISE,), CODE, -1, 0, 0) == Prior(
        sensitive, version_before
    ).expect((CONCISE,), -1, -1, 0, 0)


def test_state_of_layout_1_keeps_public_beliefs_with_noise() -> None:
    """Beliefs of one contributor, hashes of users and stacking factors are dropped."""
    beliefs = {"bias": (0.4, 0.001), "length=concise": (0.3, 0.002), "item:00000001": (0.9, 0.2)}
    earlier = [7, 900, 12, START_MS, beliefs, ["bias", "length=concise"], {"item:00000001": b"abcd"}, {}, {}]
    trainer = PopulationTrainer.unpack(b"\1" + msgspec.msgpack.encode(earlier), CATALOGUE)
    assert (trainer.number, trainer.unpublished) == (7, 12)
    assert set(trainer._population.features) == {"bias", "length=concise"}
    found = trainer._population.belief("bias")
    assert found.mean != 0.4
    assert found.mean == pytest.approx(0.4, abs=0.05)
    assert found.variance == pytest.approx(0.001, abs=0.001)


def central_state(contributors: dict[str, tuple[int, bytes]], key: bytes) -> bytes:
    """Return a state of layout 2, with a belief that 60 users have released."""
    block = (1, 12, 3.0, 12.0, 12.0, 1.0, 0.5, 0)
    stacking: Any = ([[0.2] * 3] * 3, (5, [0.1] * 3, [[0.1] * 3] * 3, (0.1, 0.2, 0.3), b"", []))
    private = (contributors, {"length=concise": block}, ((0, b""), (0, b"")), {"length": (0.1, 0.2, 1_500)}, stacking)
    packed: Any = (
        (7, 900, 12, START_MS), START_MS // SEASON_MS, 4, {"length=concise": (0.3, 0.02, 60, START_MS // SEASON_MS)},
        {"offset": 0.1, "population": 0.8, "own": 1.3}, (0.2, 0.01), 1_000,
        encrypt(msgspec.msgpack.encode(private), key), {},
    )  # fmt: skip
    return b"\2" + msgspec.msgpack.encode(packed)


def test_state_of_layout_2_keeps_what_was_released_and_who_has_voted() -> None:
    """Votes that waited are lost: their users are in no shard. Those of an earlier season may vote again."""
    season = START_MS // SEASON_MS
    voted, earlier = Contributors(), Contributors()
    for position in range(0, 600, 10):
        voted.add(position)
        earlier.add(position)
    sets = {"length=concise": (season, voted.pack()), "tone=formal": (season - 1, earlier.pack())}
    state = central_state(sets, b"key")
    trainer = PopulationTrainer.unpack(state, CATALOGUE, b"key")
    assert (trainer.number, trainer.examples, trainer.unpublished) == (7, 900, 12)
    (feature,) = trainer._population.features.values()
    assert (feature.mean, feature.released, feature.contributors, feature.block) == (0.3, 60, len(voted), None)
    assert (trainer._stacking.means[:3], trainer._stacking.sums.examples) == ([0.1, 0.8, 1.3], 0)
    assert [row[:3] for row in trainer._stacking.covariance[:3]] == [[0.2] * 3] * 3
    expected = (season, {"length=concise": voted.pack()})
    assert population_state.earlier_votes(state, b"key") == expected
    assert population_state.earlier_votes(trainer.pack(), b"key") == expected
    assert population_state.earlier_votes(state, b"other") == population_state.earlier_votes(b"\1", b"key") == (0, {})


def test_contributors_of_layout_2_go_with_their_season() -> None:
    """After it all users may vote again."""
    trainer = PopulationTrainer.unpack(
        central_state({"length=concise": (START_MS // SEASON_MS, bytes(8))}, b""), CATALOGUE
    )
    trainer.merge(delta_of([make_example(at_ms=START_MS + SEASON_MS)]))
    assert population_state.earlier_votes(trainer.pack(), b"") == (0, {})


def test_same_history_has_the_same_noise_and_another_secret_has_not() -> None:
    """The key comes from the deployment's secret."""
    one, same, other = (
        published(learned([make_example(n) for n in range(90)], Training(CATALOGUE, key)))
        for key in (b"key", b"key", b"other")
    )
    assert one == same
    assert one.features.keys() == other.features.keys()
    assert one.features != other.features


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
