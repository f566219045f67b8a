"""Truth of a simulation."""

import json
from collections import defaultdict
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from msgspec.structs import replace

from state.errors import SinkError, SourceError
from state.learning.probit import normal_cdf
from tacit_lab.simulate import Kind, Scenario, SimulatedUser, Simulation, Truth, simulate
from tacit_lab.simulate.users import Pin
from tests.support.factories import REQUIRED as CATALOGUE
from tests.support.repeated_reads import read_repeatedly

END_MS = 1_795_297_433_438


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(Scenario(end_ms=END_MS, users=300, turns=24_000, later_feedback=0, explored=1), CATALOGUE)


def liked(feedback: dict[str, Any]) -> bool:
    """Return True for a like; directed feedback is a dislike here."""
    return CATALOGUE.feedback[feedback["kind"]].label is True


def chance_then(simulation: Simulation, event: dict[str, Any]) -> float:
    """Compute the chance of a like of one turn from the numbers of the truth."""
    user = simulation.truth.users[event["user_id"]]
    share = user.change_share(event["at"])
    effects = simulation.users.topic_effects[event["topic"]]
    return normal_cdf(
        user.bias
        + sum(
            (1 - share) * user.before[facet][value] + share * user.after[facet][value] + effects[facet][value]
            for facet, value in event["served"].items()
        )
    )


def turns_with_feedback(simulation: Simulation) -> list[dict[str, Any]]:
    events = (json.loads(a.line) for a in simulation.arrivals() if a.made_as is Kind.TURN)
    return [event for event in events if "feedback" in event]


def test_share_of_likes_is_the_true_chance(simulation: Simulation) -> None:
    """In each of ten bins of chances, the share of likes is the mean chance."""
    tenths: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for event in turns_with_feedback(simulation):
        chance = chance_then(simulation, event)
        tenths[int(chance * 10)].append((chance, liked(event["feedback"])))
    assert len(tenths) == 10
    for seen in tenths.values():
        assert fmean(like for _, like in seen) == pytest.approx(fmean(chance for chance, _ in seen), abs=0.05)


def test_chance_at_follows_from_taste_topic_and_style(simulation: Simulation) -> None:
    """The chance of a turn is the one computed from the numbers of the truth."""
    for event in turns_with_feedback(simulation)[:3000]:
        chance = simulation.truth.chance_at(event["user_id"], event["at"], event["topic"], event["served"])
        assert chance == pytest.approx(chance_then(simulation, event))


def test_best_at_has_the_highest_chance(simulation: Simulation) -> None:
    """A served style has at most the chance of the best style at the same time on the same topic."""
    truth = simulation.truth
    for event in turns_with_feedback(simulation)[:3000]:
        user_id, at_ms, topic = event["user_id"], event["at"], event["topic"]
        best = truth.chance_at(user_id, at_ms, topic, truth.best_at(user_id, at_ms, topic))
        assert truth.chance_at(user_id, at_ms, topic, event["served"]) <= best


def test_several_values_count_as_their_average() -> None:
    """An absent facet counts as the average of all its values."""
    user = next(iter(simulate(Scenario(end_ms=END_MS, users=1, turns=1), CATALOGUE).truth.users.values()))
    values = {"genre": {"drama": 0.9, "comedy": 0.3, "western": -0.6}}
    user = replace(user, bias=0.0, change="none", change_at=user.joined_at, before=values, after=values)
    truth = Truth({"ada": user}, {"work": {"genre": {"drama": 0.0, "comedy": 0.0, "western": -0.6}}})
    chances = [truth.chance_at("ada", END_MS, None, {"genre": served}) for served in ("drama", ["drama", "comedy"])]
    assert chances == pytest.approx([normal_cdf(0.9), normal_cdf(0.6)])
    assert truth.chance_at("ada", END_MS, None, {}) == pytest.approx(normal_cdf(0.2))
    assert truth.chance_at("ada", END_MS, "work", {}) == pytest.approx(normal_cdf(0.0), abs=1e-9)


def test_changed_facets_have_another_best_value(simulation: Simulation) -> None:
    """The best value after the change is the best value now; a user without a change of taste has no changed facet."""
    truth = simulation.truth
    rows = {row["user_id"]: row for row in map(json.loads, list(truth.lines())[1:])}
    changed = 0
    for user_id, user in truth.users.items():
        found = truth.changed(user_id)
        before, after = rows[user_id]["best_before"], rows[user_id]["best"]
        assert found == {facet: (before[facet], after[facet]) for facet in after if before[facet] != after[facet]}
        assert not found or user.change != "none"
        changed += len(found)
    assert changed > 100


def test_chance_of_like_predicts_users_with_a_stable_taste(simulation: Simulation) -> None:
    """The share of likes of turns in a style is the chance over the user's topics."""
    tenths: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for event in turns_with_feedback(simulation):
        if simulation.truth.users[event["user_id"]].change == "none":
            chance = simulation.truth.chance_of_like(event["user_id"], event["served"])
            tenths[int(chance * 5)].append((chance, liked(event["feedback"])))
    for seen in tenths.values():
        assert fmean(like for _, like in seen) == pytest.approx(fmean(chance for chance, _ in seen), abs=0.05)


def test_directed_feedback_points_to_a_better_value(simulation: Simulation) -> None:
    """The next value in the direction has a higher chance on the topic."""
    count = 0
    for event in turns_with_feedback(simulation):
        for facet, direction in CATALOGUE.feedback[event["feedback"]["kind"]].moves.items():
            values = CATALOGUE.facets[facet].values
            next_value = values[values.index(event["served"][facet]) + (1 if direction == "up" else -1)]
            moved = event | {"served": event["served"] | {facet: next_value}}
            assert chance_then(simulation, moved) > chance_then(simulation, event)
            count += 1
    assert count > 500


def test_best_choice_beats_all_others(simulation: Simulation) -> None:
    """No combination of values has a chance that is higher by more than 0.01."""
    truth = simulation.truth
    combinations = [
        dict(zip(CATALOGUE.facets, values, strict=True))
        for values in product(*(facet.values for facet in CATALOGUE.facets.values()))
    ]
    for user_id in list(truth.users)[:20]:
        best = truth.chance_of_like(user_id, truth.best(user_id))
        assert best >= max(truth.chance_of_like(user_id, choice) for choice in combinations) - 0.01
        assert truth.best(user_id)["tone"] == truth.preferred(user_id, "tone")


def test_population_default_is_the_best_single_choice(simulation: Simulation) -> None:
    """A change of one value lowers the mean chance."""
    truth = simulation.truth
    default = truth.population_default

    def mean(choice: dict[str, str]) -> float:
        return fmean(truth.chance_of_like(user_id, choice) for user_id in truth.users)

    changed = [default | {name: value} for name, facet in CATALOGUE.facets.items() for value in facet.values]
    assert mean(default) >= max(map(mean, changed)) - 0.02


def test_chances_order_oracle_population_and_random(simulation: Simulation) -> None:
    """The oracle beats the population's default, which beats chance; a caller's choice is measured alike."""
    truth = simulation.truth
    chances = truth.chances(lambda _: truth.population_default)
    assert chances.chosen == chances.population
    assert chances.oracle > 0.85 > 0.75 > chances.population > 0.5 > chances.random > 0.35
    assert truth.chances(truth.best).chosen == chances.oracle


def test_absent_facet_counts_as_its_average(simulation: Simulation) -> None:
    """An empty choice lies between the best and the worst choice."""
    truth = simulation.truth
    user_id = next(iter(truth.users))
    worst = {facet: min(v, key=v.__getitem__) for facet, v in truth.users[user_id].after.items()}
    chances = [truth.chance_of_like(user_id, choice) for choice in (worst, {}, truth.best(user_id))]
    assert chances == sorted(chances)


def test_users_do_not_depend_on_each_other() -> None:
    """A user is the same in a scenario with more users and more turns."""
    small = simulate(Scenario(end_ms=END_MS, users=5, turns=50), CATALOGUE).truth
    large = simulate(Scenario(end_ms=END_MS, users=500, turns=5000), CATALOGUE).truth
    assert [small.users[user_id] for user_id in small.users] == [large.users[user_id] for user_id in small.users]


def test_change_is_abrupt_or_gradual_and_done_by_the_end() -> None:
    """At the end each user has the taste `after`, which differs from `before` in some facet."""
    for user in simulate(Scenario(end_ms=END_MS, users=200, turns=200), CATALOGUE).truth.users.values():
        assert user.change_share(END_MS) == 1.0 or user.change == "none"
        assert (user.before != user.after) == (user.change != "none")
        if user.change != "none":
            assert user.change_share(user.change_at - 1) == 0.0
        if user.change == "gradual":
            assert user.change_share(user.change_at + user.change_ms // 2) == pytest.approx(0.5, abs=0.01)
        if user.change == "abrupt":
            assert user.change_share(user.change_at) == 1.0


def test_topical_users_have_a_taste_per_topic() -> None:
    """The best value of some facet differs by topic, and all else stays the same."""
    plain, topical = (
        simulate(Scenario(end_ms=END_MS, users=80, turns=80, topical=share), CATALOGUE) for share in (0, 0.5)
    )
    moved = {user_id for user_id, user in topical.users.items() if user.by_topic}
    assert 25 <= len(moved) <= 55
    for user_id, user in topical.users.items():
        assert replace(user, by_topic={}) == plain.users[user_id]
        assert list(user.by_topic) == (list(user.topics) if user_id in moved else [])
    truth = topical.truth
    differs = [
        len({str(truth.best_at(user_id, END_MS, topic)) for topic in truth.users[user_id].topics}) > 1
        for user_id in moved
    ]
    assert fmean(differs) > 0.8
    user_id = next(iter(moved))
    user = truth.users[user_id]
    style = truth.best(user_id)
    by_topic = [share * truth.chance_at(user_id, END_MS, topic, style) for topic, share in user.topics.items()]
    assert truth.chance_of_like(user_id, style) == pytest.approx(sum(by_topic))


def test_topical_taste_decides_feedback() -> None:
    """In each fifth of the chances, the share of likes is the mean chance on the topic."""
    simulation = simulate(Scenario(end_ms=END_MS, users=100, turns=8_000, later_feedback=0, topical=1), CATALOGUE)
    fifths: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for event in turns_with_feedback(simulation):
        chance = simulation.truth.chance_at(event["user_id"], event["at"], event["topic"], event["served"])
        fifths[int(chance * 5)].append((chance, liked(event["feedback"])))
    for seen in fifths.values():
        assert fmean(like for _, like in seen) == pytest.approx(fmean(chance for chance, _ in seen), abs=0.05)


def test_truth_file_holds_tastes_per_topic(tmp_path: Path) -> None:
    """The truth from a file has the tastes of topical users; the line of another user has no such member."""
    truth = simulate(Scenario(end_ms=END_MS, users=20, turns=20, topical=0.5), CATALOGUE).truth
    truth.write(tmp_path / "truth.jsonl")
    assert dict(Truth.load(tmp_path / "truth.jsonl").users) == dict(truth.users)
    for row in map(json.loads, list(truth.lines())[1:]):
        assert ("by_topic" in row) == bool(truth.users[row["user_id"]].by_topic)


def test_unknown_user_is_a_key_error(simulation: Simulation) -> None:
    """Only ids of the simulation are in the truth."""
    for user_id in ("user-999999", "user-1", "ada", "user--00001"):
        assert user_id not in simulation.truth.users


def test_truth_file_holds_the_whole_truth(simulation: Simulation, tmp_path: Path) -> None:
    """The truth from a file gives the same answers."""
    path = tmp_path / "truth.jsonl"
    simulation.truth.write(path)
    loaded = Truth.load(path)
    assert loaded.population_default == simulation.truth.population_default
    assert dict(loaded.users) == dict(simulation.truth.users)
    for user_id in loaded.users:
        choice = loaded.best(user_id)
        assert loaded.chance_of_like(user_id, choice) == simulation.truth.chance_of_like(user_id, choice)


def test_truth_file_has_best_values_and_likes_before_and_after(simulation: Simulation) -> None:
    """The line of a user has the best values and the chances."""
    world, *users = map(json.loads, simulation.truth.lines())
    assert world["population_default"] == simulation.truth.population_default
    assert len(users) == 300
    for row in users:
        assert row["best"] == simulation.truth.best(row["user_id"])
        for facet, likes in row["like"].items():
            assert likes[row["best"][facet]] == pytest.approx(max(likes.values()), abs=0.03)
        if row["change"] == "none":
            assert (row["best"], row["like"]) == (row["best_before"], row["like_before"])


@pytest.mark.parametrize("content", [b"", b"{}\n", b"no json\n"])
def test_foreign_file_is_no_truth(tmp_path: Path, content: bytes) -> None:
    """The error names the file and the command that writes a truth file."""
    path = tmp_path / "other.jsonl"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"other\.jsonl: is no truth file: .*tacit simulate"):
        Truth.load(path)


def test_reader_finds_old_or_new_truth(tmp_path: Path) -> None:
    """No reader finds a part of a truth file."""
    truths = [simulate(Scenario(end_ms=END_MS, users=100, turns=100, seed=seed), CATALOGUE).truth for seed in (1, 2)]
    path = tmp_path / "truth.jsonl"
    truths[0].write(path)
    with read_repeatedly(path) as found:
        for _ in range(5):
            for truth in truths:
                truth.write(path)
    assert found <= {b"".join(line + b"\n" for line in truth.lines()) for truth in truths}


def test_unwritable_truth_is_a_sink_error(simulation: Simulation, tmp_path: Path) -> None:
    """The error names the path and the cause."""
    with pytest.raises(SinkError, match=r"truth\.jsonl cannot be written: No such file or directory"):
        simulation.truth.write(tmp_path / "missing" / "truth.jsonl")


def test_wipes_and_pins_follow_control_events() -> None:
    """A forget removes pins; the last withdrawal or forget is the last wipe."""
    template = next(iter(simulate(Scenario(end_ms=END_MS, users=1, turns=1), CATALOGUE).truth.users.values()))
    user = _with(template, consents=[(10, True), (20, False), (40, True)], forgets_at=30)
    assert user.wiped_at() == 30
    assert _with(template, consents=[(10, True)], forgets_at=None).wiped_at() is None
    assert user.pinned(25) == {"tone": "formal"}
    assert user.pinned(30) == {}
    assert user.pinned(35) == {"length": "concise"}
    assert user.pinned(50) == {}


def _with(user: SimulatedUser, *, consents: list[tuple[int, bool]], forgets_at: int | None) -> SimulatedUser:
    pins = [Pin(15, "tone", "formal"), Pin(32, "length", "concise"), Pin(45, "length", None)]
    return replace(user, consents=consents, pins=pins, forgets_at=forgets_at)
