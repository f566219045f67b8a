"""state/learning/proof: every figure from examples, kept across restarts, and coarse in reports."""

from array import array
from collections.abc import Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from state.learning.encryption import decrypt
from state.learning.example import NOTHING_LOGGED, Example, Forget, Logged
from state.learning.population_trainer import PopulationTrainer
from state.learning.proof import Proof, StoredProof
from state.learning.proof_report import Compared, ProofReport, decode_report, encode_report
from state.learning.proof_sums import ProofSums
from state.learning.proof_trainer import ProofTrainer
from state.learning.shard_training import ShardTraining
from tacit.contract.catalogue import Holdout
from tacit.contract.holdout import is_held_out
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE
from tests.support.training import delta_of

HOLDOUT = replace(CATALOGUE, holdout=Holdout(0.25))
LENGTH = CATALOGUE.facet_index["length"]
CONCISE, BALANCED, DETAILED = CATALOGUE.facet_slots[LENGTH]
DEFAULTS = CATALOGUE.default_slots
KEY = b"k" * 32


def signals(slot: int) -> bytes:
    found = array("h", [NONE] * len(CATALOGUE.facets))
    found[LENGTH] = slot
    return found.tobytes()


def answered(user: int, random: Random, **members: object) -> Example:
    """Return an answer of a user who likes `concise` at .7 and the default at .5; the signal is `concise`."""
    pseudonym = Random(user).randbytes(16)
    if is_held_out(pseudonym, HOLDOUT.holdout.share):
        slot, acted = BALANCED, [(BALANCED, 1.0, NONE)]
    elif random.random() < 0.9:
        slot, acted = CONCISE, [(CONCISE, 0.9, BALANCED)]
    else:
        slot, acted = BALANCED, [(BALANCED, 0.1, BALANCED)]
    liked = random.random() < (0.7 if slot == CONCISE else 0.5)
    logged = Logged(acted, (), signals(CONCISE), array("f", [0.5] * len(CATALOGUE.facets)).tobytes(), True)
    example = make_example(liked=liked, slots=(slot,), p=0.7 if slot == CONCISE else 0.5)
    return replace(example, user=pseudonym, logged=logged, **members)


class Proving:
    """Proof of one shard, merged before each report."""

    def __init__(self, catalogue: NumberedCatalogue = HOLDOUT, proof: Proof | None = None) -> None:
        self.sums, self.proof = ProofSums(catalogue), proof or Proof(catalogue)

    def add(self, e: Example, defaults: Sequence[int | None] = DEFAULTS) -> None:
        self.sums.add(e, defaults)

    def merged(self) -> Proof:
        new = self.sums.take()
        if new is not None:
            self.proof.merge(new)
        return self.proof

    def report(self) -> ProofReport:
        return self.merged().report()

    def pack(self) -> StoredProof:
        return self.merged().pack()


def proven(answers: int = 6_000, users: int = 400, seed: int = 1) -> Proving:
    random, proof = Random(seed), Proving()
    for _ in range(answers):
        proof.add(answered(random.randrange(users), random))
    return proof


@pytest.fixture(scope="module")
def report() -> ProofReport:
    return proven().report()


def near(compared: Compared, difference: float, within: float = 0.06) -> bool:
    assert compared.estimate is not None
    low, high = compared.estimate.interval
    return abs(compared.estimate.difference - difference) < within and low < difference < high


def test_report_has_every_figure(report: ProofReport) -> None:
    """The truth is .18 for the holdout, as a tenth of the adapted answers explores, and .2 for each answer."""
    assert report.answers == 6_000
    assert near(report.uplift, 0.18)
    assert near(report.uplift_by_facet["length"], 0.18)
    assert near(report.off_policy["length"], 0.2, within=0.1)
    assert report.candidate is not None
    assert near(report.candidate.compared, 0.02)
    assert report.candidate.support == pytest.approx(1.0, abs=0.05)
    (found,) = report.confidence
    assert found.observed == pytest.approx(0.2, abs=0.1)
    assert found.predicted == pytest.approx(0.2, abs=0.001)
    assert not report.apprentice


def test_rates_are_coarse_and_the_report_survives_json(report: ProofReport) -> None:
    """Three decimals, so that no difference of two reports shows one answer."""
    assert decode_report(encode_report(report)) == report
    estimate = report.uplift.estimate
    assert estimate is not None
    for number in (estimate.rate, estimate.other, estimate.difference, *estimate.interval):
        assert number == round(number, 3)


def test_few_users_have_counts_only() -> None:
    """However many answers they give."""
    found = proven(users=15).report()
    assert found.uplift.n == 6_000
    assert found.uplift.estimate is None
    assert found.off_policy["length"].estimate is None


def test_repeated_feedback_and_plain_answers_prove_nothing_more() -> None:
    """Without a logged choice only the uplift counts an answer."""
    proof = Proving()
    proof.add(replace(make_example(), logged=None))
    assert proof.report().answers == 0
    proof.add(replace(make_example(), logged=NOTHING_LOGGED))
    found = proof.report()
    assert (found.answers, found.uplift.n) == (1, 1)
    assert not found.off_policy
    assert found.candidate is None


def test_users_of_the_holdout_are_no_part_of_a_candidate() -> None:
    """A promoted candidate would serve them defaults, too."""
    random, proof = Random(3), Proving()
    held_out = [user for user in range(400) if is_held_out(Random(user).randbytes(16), 0.25)]
    for user in held_out:
        proof.add(answered(user, random))
    assert len(held_out) > 60
    assert proof.report().candidate is None


def test_proposals_are_no_choices() -> None:
    """In apprentice mode the assistant chooses by itself."""
    proof, logged = Proving(CATALOGUE), Logged([(CONCISE, 0.9, BALANCED)], (CONCISE,), b"", b"", True)
    for user in range(200):
        proof.add(replace(make_example(user, slots=(CONCISE,)), logged=logged))
    found = proof.report()
    assert found.apprentice["length"].match_rate == 1.0
    assert not found.off_policy


def test_answers_in_apprentice_mode_are_no_part_of_the_uplift() -> None:
    """All users have the defaults then, so the answers would pull a later uplift toward 0."""
    random, proof = Random(3), Proving()
    for user in range(400):
        e = answered(user, random)
        assert e.logged is not None
        proof.add(replace(e, logged=replace(e.logged, proposed=(CONCISE,))))
    assert proof.report().uplift.n == 0


def test_narrowed_feedback_is_about_its_facets_only() -> None:
    """A dislike of the tone proves nothing about the length."""
    random, proof = Random(3), Proving(CATALOGUE)
    tone = CATALOGUE.facet_index["tone"]
    for user in range(100):
        proof.add(answered(user, random, only=[tone]))
    assert not proof.report().off_policy


def answers(n: int, seed: int = 1) -> list[Example]:
    random = Random(seed)
    return [answered(random.randrange(40), random) for _ in range(n)]


def shard(catalogue: NumberedCatalogue = HOLDOUT) -> ShardTraining:
    """Return the training of a shard in a run without training of the population."""
    return ShardTraining(catalogue, KEY, teaches=False)


@given(st.integers(0, 60), st.integers(0, 10**6))
def test_proof_is_the_same_after_a_restart_at_any_answer(cut: int, seed: int) -> None:
    """In either kind of run."""
    examples = answers(60, seed)
    first_part, second_part = delta_of(examples[:cut], shard()), delta_of(examples[cut:], shard())
    whole = PopulationTrainer(HOLDOUT, KEY)
    whole.merge(first_part)
    whole.merge(second_part)
    first = ProofTrainer(HOLDOUT, KEY)
    first.merge(first_part)
    second = PopulationTrainer.unpack(first.pack(), HOLDOUT, KEY)
    second.merge(second_part)
    assert second.proof.pack() == whole.proof.pack()
    third = ProofTrainer(HOLDOUT, KEY, second.pack())
    assert third.proof.pack() == whole.proof.pack()


def test_predictions_of_confidences_survive_a_restart() -> None:
    """They have no count of their own."""
    proof = proven().merged()
    assert Proof(HOLDOUT, proof.pack()).report() == proof.report()


def test_training_survives_a_run_without_training() -> None:
    """A pinned run changes the proof alone."""
    trainer = PopulationTrainer(CATALOGUE, KEY)
    trainer.merge(delta_of([make_example(n % 50) for n in range(200)], ShardTraining(CATALOGUE, KEY)))
    before = trainer.pack()
    pinned = ProofTrainer(CATALOGUE, KEY, before)
    assert pinned.pack() == before
    pinned.merge(delta_of(answers(1), shard(CATALOGUE)))
    resumed = PopulationTrainer.unpack(pinned.pack(), CATALOGUE, KEY)
    assert resumed.examples == trainer.examples == 200
    assert resumed.publish(1).version == PopulationTrainer.unpack(before, CATALOGUE, KEY).publish(1).version


def test_sums_are_stored_in_encrypted_form_only() -> None:
    """Another key opens nothing, and the proof begins again."""
    trainer = ProofTrainer(HOLDOUT, KEY)
    trainer.merge(delta_of(answers(50), shard()))
    packed = trainer.pack()
    assert b"uplift" not in packed
    assert b"off_policy" not in packed
    assert decrypt(packed, KEY) is None
    assert ProofTrainer(HOLDOUT, b"o" * 32, packed).proof.report().answers == 0


def test_flood_of_one_user_is_limited() -> None:
    """At most 200 answers of a user per hour prove anything."""
    trainer = ProofTrainer(HOLDOUT, KEY)
    trainer.merge(delta_of([answered(1, Random(n)) for n in range(300)], shard()))
    assert trainer.proof.report().answers == trainer.unpublished == 200


def test_forget_leaves_the_sums() -> None:
    """No sum belongs to one user, so a forget has nothing to find in them."""
    trainer, training = PopulationTrainer(HOLDOUT, KEY), ShardTraining(HOLDOUT, KEY)
    trainer.merge(delta_of([answered(user, Random(user)) for user in range(100)], training))
    before = trainer.proof.pack()
    trainer.merge(delta_of([Forget(Random(7).randbytes(16))], training))
    assert trainer.proof.pack() == before
