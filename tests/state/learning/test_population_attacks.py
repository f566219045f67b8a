"""Attacks on the population: colluders that read one user's vote, floods of one account, and puppets."""

from collections.abc import Iterator
from math import sqrt
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.learning import release, stacking
from state.learning.example import Example, Logged
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion, decode_version
from state.learning.probit import normal_cdf
from state.learning.shard_training import CONFIDENCE_SHARE
from state.learning.stacking_sums import MAX_NORM
from tests.support.examples import make_example
from tests.support.factories import CATALOGUE, START_MS
from tests.support.training import Training
from tests.support.votes import Voting

TRIALS, SESSIONS = 1_000, 500
MOST_RIGHT = 0.55
ANSWER = ["bias", "judged:0", "length=concise", "topic:code&length=concise", "item:0000000a"]
SURE = ["sure:1"]
CONCISE, BALANCED, DETAILED = CATALOGUE.facet_slots[0]
CODE = CATALOGUE.topic_index["code"]
VICTIM = 0x1234_5678_9ABC_DEF1


def sampling_error(trials: int) -> float:
    """Return the standard error of a share of right guesses."""
    return 0.5 / sqrt(trials)


def colluder(number: int) -> int:
    return (number + 1) * 0x9E37_79B9_7F4A_7C15 % 2**64


# Nineteen colluders and a victim


def cast(model: Voting, user: int, liked: bool) -> None:
    """Take all votes of an answer with the runner-up, as the trainer does: on its confidence, and on the others."""
    model.cast(user, [], liked, against=SURE, share=CONFIDENCE_SHARE)
    model.learn(user, ANSWER, liked, share=1.0 - CONFIDENCE_SHARE)


def versions(key: bytes, votes: list[tuple[int, bool]], every: int) -> Iterator[tuple[Voting, int]]:
    """Yield a model after each `every` votes, and the users so far."""
    model = Voting(key)
    for number, (user, liked) in enumerate(votes, 1):
        cast(model, user, liked)
        if number % every == 0:
            yield model, number


class Attacker:
    """The attacker knows all votes but one, the algorithm and every version, and lacks the noise.

    The attacker knows even which users share a position. The attacker computes the versions without noise for both
    votes, and compares them with the published ones. The noise of each release is Gaussian and independent, so the
    likelihood ratio is the optimal test.
    """

    def __init__(self, key: bytes, votes: list[tuple[int, bool]], victim_at: int) -> None:
        self.key, self.votes, self.victim_at = key, votes, victim_at

    def history(self, liked: bool) -> list[tuple[int, bool]]:
        return [*self.votes[: self.victim_at], (VICTIM, liked), *self.votes[self.victim_at :]]

    def guess(self, published: list[dict[str, Gaussian]]) -> bool:
        """Return the more likely vote."""
        return self._log_likelihood(True, published) >= self._log_likelihood(False, published)

    def _log_likelihood(self, liked: bool, published: list[dict[str, Gaussian]]) -> float:
        total, model, seen = 0.0, Voting(self.key), 0
        for number, (user, vote) in enumerate(self.history(liked), 1):
            # Published beliefs replace the attacker's own, so each release is compared once.
            for name, feature in model.features.items():
                if seen and name in published[seen - 1]:
                    feature.mean, feature.variance = published[seen - 1][name]
            pending = {name: one.block for name, one in model.features.items()}
            before = {name: (one.mean, one.variance) for name, one in model.features.items()}
            cast(model, user, vote)
            seen = number
            for name, feature in model.features.items():
                block = pending.get(name)
                if block is not None and feature.block is None:
                    mean, variance = before[name]
                    total += _log_density(block, mean, variance, published[number - 1][name])
        return total


def _log_density(block: release.Block, mean: float, variance: float, found: Gaussian) -> float:
    """Return the log density of a released mean, given the votes of its block."""
    expected, deviation = _without_noise(block, mean, variance)
    return -0.5 * ((found.mean - expected) / deviation) ** 2


def _without_noise(block: release.Block, mean: float, variance: float) -> tuple[float, float]:
    """Return the released mean without noise, and the standard deviation of the noise."""
    slope = release.SLOPE * block.shares
    uncertainty = (0.25 * block.squares + release.NOISE**2) / slope**2 + release.OTHERS * block.others / block.users
    gain = variance / (variance + uncertainty)
    return mean + gain * block.residuals / slope, gain * release.NOISE / slope


def published(key: bytes, votes: list[tuple[int, bool]]) -> list[dict[str, Gaussian]]:
    """Return the version after each vote, in all digits."""
    return [
        {name: Gaussian(one.mean, one.variance) for name, one in model.features.items() if one.is_public}
        for model, _ in versions(key, votes, every=1)
    ]


def right_guesses(trials: int, colluders: int, victim_at: range) -> int:
    """Return how often the attacker is right about the vote of a victim at a random place."""
    random, right = Random(13), 0
    for trial in range(trials):
        key = trial.to_bytes(4, "big")
        votes = [(colluder(number), random.random() < 0.5) for number in range(colluders)]
        attacker = Attacker(key, votes, random.choice(victim_at))
        liked = random.random() < 0.5
        right += attacker.guess(published(key, attacker.history(liked))) is liked
    return right


@pytest.mark.parametrize(
    ("colluders", "victim_at"), [(52, range(50)), (104, range(50, 100))], ids=["first release", "successive versions"]
)
def test_colluders_do_not_read_the_vote_of_a_user(colluders: int, victim_at: range) -> None:
    """All features of the answer and all versions are compared: there is a version after each vote."""
    assert right_guesses(TRIALS, colluders, victim_at) / TRIALS <= MOST_RIGHT + sampling_error(TRIALS)


def test_nineteen_colluders_see_nothing_at_the_threshold() -> None:
    """With 20 contributors the feature is published, with the same belief for a like and for a dislike."""
    found = []
    for liked in (True, False):
        votes = [(colluder(number), True) for number in range(19)] + [(VICTIM, liked)]
        found.append(published(b"key", votes)[-1])
    assert found[0] == found[1]
    assert set(found[0]) == {*ANSWER, *SURE}


def test_attack_succeeds_without_noise(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same attacker is always right on releases without noise."""
    monkeypatch.setattr(release, "NOISE", 1e-3)
    assert right_guesses(50, 52, range(50)) == 50


# Features and stacking factors together


def answered(number: int, liked: bool) -> Example:
    """Return an example with the largest parts: its features have all votes, its parts the largest norm."""
    one = make_example(number, liked=liked, slots=(CONCISE,), topic=CODE, item=10, at_ms=START_MS)
    return replace(one, bias=0.4, shares={0: 0.3}, logged=Logged([(CONCISE, 0.03, CONCISE)], opens=True))


class Session:
    """The releases of a trainer that learns a history, with a version after every twenty examples.

    With `seen`, the trainer continues after each release with the numbers of that session, as an attacker does.
    """

    def __init__(self, key: bytes, history: list[Example], seen: "Session | None" = None) -> None:
        self.found: list[float] = []
        """Released numbers, with noise."""
        self.expected: list[float] = []
        """The same numbers without noise."""
        self.deviations: list[float] = []
        self.versions: list[PopulationVersion] = []
        training = Training(CATALOGUE, key)
        for number, one in enumerate(history, 1):
            before = {name: (term.block, term.mean, term.variance) for name, term in training.features.items()}
            training.learn(one)
            for name, (block, mean, variance) in before.items():
                feature = training.features[name]
                if block is not None and feature.block is None:
                    self._add(feature.mean, *_without_noise(block, mean, variance))
                    feature.mean = seen.found[len(self.found) - 1] if seen else feature.mean
            if number % 20 == 0:
                self._publish(training, number, seen)

    def _publish(self, training: Training, number: int, seen: "Session | None") -> None:
        trainer = training.trainer
        sums, noisy = trainer._stacking.sums, trainer._stacking.noisy_residuals()
        self.versions.append(decode_version(trainer.publish(number).version))
        if trainer._stacking.sums is not sums:
            for value, without_noise in zip(noisy, [*sums.residuals, sums.bias_residuals], strict=True):
                self._add(value, without_noise, stacking.NOISE * MAX_NORM)
        if seen:
            version = seen.versions[len(self.versions) - 1]
            trainer._stacking.restore(version.factors, version.features.get("bias"))
            feature = trainer._population.add("bias")
            feature.mean, feature.variance = trainer._stacking.bias
            trainer._prior = Prior(CATALOGUE, version)

    def _add(self, found: float, expected: float, deviation: float) -> None:
        self.found.append(found)
        self.expected.append(expected)
        self.deviations.append(deviation)

    def log_likelihood(self, of: "Session") -> float:
        """Return the log likelihood of another session's numbers, but for a constant."""
        rows = zip(of.found, self.expected, self.deviations, strict=True)
        return sum(-0.5 * ((found - expected) / deviation) ** 2 for found, expected, deviation in rows)


def right_sessions(trials: int) -> int:
    """Return how often the attacker is right about one of 60 users, of whom all others are colluders."""
    random, right = Random(13), 0
    for trial in range(trials):
        key, victim, liked = trial.to_bytes(4, "big"), random.randrange(50), random.random() < 0.5
        colluders = [random.random() < 0.5 for _ in range(60)]

        def history(vote: bool, victim: int = victim, votes: list[bool] = colluders) -> list[Example]:
            return [answered(n, vote if n == victim else one) for n, one in enumerate(votes)]

        found = Session(key, history(liked))
        like, dislike = (Session(key, history(vote), found).log_likelihood(found) for vote in (True, False))
        right += (like >= dislike) is liked
    return right


def test_colluders_do_not_read_a_vote_from_features_and_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors are released after 50 examples here: noise and largest shift are the same for any number."""
    monkeypatch.setattr(stacking, "FIRST_EXAMPLES", 50)
    assert right_sessions(SESSIONS) / SESSIONS <= MOST_RIGHT + sampling_error(SESSIONS)


def test_factors_without_noise_show_the_vote(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same attacker is always right, though the features have noise."""
    monkeypatch.setattr(stacking, "FIRST_EXAMPLES", 50)
    monkeypatch.setattr(stacking, "NOISE", 1e-3)
    assert right_sessions(20) == 20


def test_noise_of_all_releases_keeps_the_bound() -> None:
    """The combined distance of a like and a dislike, in standard deviations of the noise."""
    distance = sqrt(1 / release.NOISE**2 + 1 / stacking.NOISE**2)
    assert normal_cdf(distance / 2) <= MOST_RIGHT - 0.005


# One account, and puppets


NO_DEFAULT = replace(CATALOGUE, facets={name: replace(one, default=None) for name, one in CATALOGUE.facets.items()})
"""The test catalogue without defaults: the population's best values are defaults."""


def honest(number: int, random: Random, at_ms: int) -> Example:
    """Return feedback of a user who likes concise answers."""
    slot = random.choice(CATALOGUE.facet_slots[0])
    liked = random.random() < (0.85 if slot == CONCISE else 0.15)
    return make_example(number, liked=liked, slots=(slot,), at_ms=at_ms)


def taught(key: bytes) -> Training:
    """Return a trainer after 20 pieces of feedback of each of 60 honest users, and a version."""
    training, random = Training(NO_DEFAULT, key), Random(key)
    for n in range(20):
        for number in range(60):
            training.learn(honest(number, random, START_MS + 600_000 * n))
    training.publish(1)
    assert training.trainer.prior.default_slots[0] == CONCISE
    return training


@pytest.mark.parametrize("key", [bytes([number]) for number in range(5)])
def test_default_stays_after_a_flood_of_one_account(key: bytes) -> None:
    """5,000 pieces of feedback are one vote per feature; those above 200 an hour are not learned."""
    training = taught(key)
    before = training.trainer.prior.means
    learned = [
        training.learn(make_example(999, slots=(DETAILED,), at_ms=START_MS + 12_000_000 + n)) for n in range(5_000)
    ]
    assert sum(learned) == 200
    training.publish(2)
    assert (training.trainer.prior.means, training.trainer.prior.default_slots[0]) == (before, CONCISE)


@pytest.mark.parametrize("key", [bytes([number]) for number in range(5)])
def test_default_stays_after_feedback_of_puppets(key: bytes) -> None:
    """Twenty puppets with 60 pieces of feedback each have 20 votes against those of 60 users."""
    training = taught(key)
    for n in range(60):
        for number in range(2_000, 2_020):
            slot, liked = ((DETAILED, True), (CONCISE, False))[n % 2]
            training.learn(make_example(number, liked=liked, slots=(slot,), at_ms=START_MS + 12_000_000 + 60_000 * n))
    training.publish(2)
    assert training.trainer.prior.default_slots[0] == CONCISE


@pytest.mark.parametrize("key", [bytes([number]) for number in range(5)])
def test_puppets_do_not_replace_a_learned_default(key: bytes) -> None:
    """Of the first answers of 1,200 honest users and 60 puppets, each is one vote."""
    training, random = Training(CATALOGUE, key), Random(key)
    for number in range(1_200):
        training.learn(honest(number, random, START_MS + number))
    training.publish(1)
    assert training.trainer.prior.default_slots[0] == CONCISE
    for n in range(60):
        for number in range(2_000, 2_060):
            slot, liked = ((DETAILED, True), (CONCISE, False))[n % 2]
            training.learn(make_example(number, liked=liked, slots=(slot,), at_ms=START_MS + 12_000_000 + 60_000 * n))
    training.publish(2)
    assert training.trainer.prior.default_slots[0] == CONCISE


@given(st.lists(st.floats(0.05, 1.0), min_size=1, max_size=400), st.sampled_from([20, 50]))
def test_no_user_has_more_than_a_twentieth_of_a_release(shares: list[float], users: int) -> None:
    """Shares differ, as answers have different numbers of features."""
    block = release.Block(1)
    for share in shares:
        block.add(1.0, share, 0.0)
    if block.is_due(users):
        assert max(shares) <= sum(shares) / 20 * (1 + 1e-9)
