"""tacit/simulate: the truth behind the events."""

import json
from collections import defaultdict
from itertools import product
from pathlib import Path
from statistics import fmean
from typing import Any

import pytest
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.errors import SourceError
from tacit_lab.simulate import Kind, Scenario, SimulatedUser, Simulation, Truth, simulate
from tacit_lab.simulate.tastes import probit
from tacit_lab.simulate.users import Pin

END_MS = 1_795_297_433_438
CATALOGUE = NumberedCatalogue.load()


@pytest.fixture(scope="module")
def simulation() -> Simulation:
    return simulate(Scenario(end_ms=END_MS, users=300, turns=24_000, later_feedback=0, explored=1))


def liked(feedback: dict[str, Any]) -> bool:
    """Return whether feedback is a like; directed feedback to be served otherwise is none."""
    return CATALOGUE.feedback[feedback["kind"]].label is True


def chance_then(simulation: Simulation, event: dict[str, Any]) -> float:
    """Return the chance of a like of one turn, from the truth's numbers alone."""
    user = simulation.truth.users[event["user_id"]]
    share = user.change_share(event["at"])
    effects = simulation.users.topic_effects[event["topic"]]
    return probit(
        user.bias
        + sum(
            (1 - share) * user.before[facet][value] + share * user.after[facet][value] + effects[facet][value]
            for facet, value in event["served"].items()
        )
    )


def turns_with_feedback(simulation: Simulation) -> list[dict[str, Any]]:
    events = (json.loads(a.line) for a in simulation.arrivals() if a.made_as is Kind.TURN)
    return [event for event in events if "feedback" in event]


def test_likes_are_as_frequent_as_the_truth_says(simulation: Simulation) -> None:
    """In every tenth of predicted chances, the share of likes is the mean prediction."""
    tenths: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for event in turns_with_feedback(simulation):
        chance = chance_then(simulation, event)
        tenths[int(chance * 10)].append((chance, liked(event["feedback"])))
    assert len(tenths) == 10
    for seen in tenths.values():
        assert fmean(like for _, like in seen) == pytest.approx(fmean(chance for chance, _ in seen), abs=0.05)


def test_chance_at_is_what_turns_are_drawn_from(simulation: Simulation) -> None:
    """The truth states of each turn what follows from its numbers: taste then, topic and style."""
    for event in turns_with_feedback(simulation)[:3000]:
        chance = simulation.truth.chance_at(event["user_id"], event["at"], event["topic"], event["served"])
        assert chance == pytest.approx(chance_then(simulation, event))


def test_chance_at_is_no_better_than_of_the_best_then_and_there(simulation: Simulation) -> None:
    """What was served has at most the chance of the best style at that time on that topic."""
    truth = simulation.truth
    for event in turns_with_feedback(simulation)[:3000]:
        user_id, at_ms, topic = event["user_id"], event["at"], event["topic"]
        best = truth.chance_at(user_id, at_ms, topic, truth.best_at(user_id, at_ms, topic))
        assert truth.chance_at(user_id, at_ms, topic, event["served"]) <= best


def test_several_values_count_as_their_average() -> None:
    """So does a facet that is left out: as the average of all its values."""
    user = next(iter(simulate(Scenario(end_ms=END_MS, users=1, turns=1)).truth.users.values()))
    values = {"genre": {"drama": 0.9, "comedy": 0.3, "western": -0.6}}
    user = replace(user, bias=0.0, change="none", change_at=user.joined_at, before=values, after=values)
    truth = Truth({"ada": user}, {"work": {"genre": {"drama": 0.0, "comedy": 0.0, "western": -0.6}}})
    chances = [truth.chance_at("ada", END_MS, None, {"genre": served}) for served in ("drama", ["drama", "comedy"])]
    assert chances == pytest.approx([probit(0.9), probit(0.6)])
    assert truth.chance_at("ada", END_MS, None, {}) == pytest.approx(probit(0.2))
    assert truth.chance_at("ada", END_MS, "work", {}) == pytest.approx(probit(0.0), abs=1e-9)


def test_changed_facets_are_those_whose_best_value_changed(simulation: Simulation) -> None:
    """What is best after the change is what is preferred now; without a change of taste nothing has changed."""
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


def test_chance_of_like_predicts_those_whose_taste_is_stable(simulation: Simulation) -> None:
    """What the truth states of a style, over a user's topics, is how often turns in that style were liked."""
    tenths: dict[int, list[tuple[float, bool]]] = defaultdict(list)
    for event in turns_with_feedback(simulation):
        if simulation.truth.users[event["user_id"]].change == "none":
            chance = simulation.truth.chance_of_like(event["user_id"], event["served"])
            tenths[int(chance * 5)].append((chance, liked(event["feedback"])))
    for seen in tenths.values():
        assert fmean(like for _, like in seen) == pytest.approx(fmean(chance for chance, _ in seen), abs=0.05)


def test_directed_feedback_asks_for_the_better_side(simulation: Simulation) -> None:
    """Whoever asks for a move of a facet likes the next value that way better on this topic."""
    asked = 0
    for event in turns_with_feedback(simulation):
        for facet, direction in CATALOGUE.feedback[event["feedback"]["kind"]].moves.items():
            values = CATALOGUE.facets[facet].values
            there = values[values.index(event["served"][facet]) + (1 if direction == "up" else -1)]
            moved = event | {"served": event["served"] | {facet: there}}
            assert chance_then(simulation, moved) > chance_then(simulation, event)
            asked += 1
    assert asked > 500


def test_best_choice_beats_all_others(simulation: Simulation) -> None:
    """No combination of values has a chance that is more than a trifle higher, whoever it is."""
    truth = simulation.truth
    combinations = [
        dict(zip(CATALOGUE.facets, values, strict=True))
        for values in product(*(facet.values for facet in CATALOGUE.facets.values()))
    ]
    for user_id in list(truth.users)[:20]:
        best = truth.chance_of_like(user_id, truth.best(user_id))
        assert best >= max(truth.chance_of_like(user_id, choice) for choice in combinations) - 0.01
        assert truth.best(user_id)["tone"] == truth.preferred(user_id, "tone")


def test_population_default_is_the_one_choice_that_suits_most(simulation: Simulation) -> None:
    """Changing any one of its values makes users like less, on average."""
    truth = simulation.truth
    default = truth.population_default

    def mean(choice: dict[str, str]) -> float:
        return fmean(truth.chance_of_like(user_id, choice) for user_id in truth.users)

    changed = [default | {name: value} for name, facet in CATALOGUE.facets.items() for value in facet.values]
    assert mean(default) >= max(map(mean, changed)) - 0.02


def test_chances_order_oracle_population_and_random(simulation: Simulation) -> None:
    """The oracle beats the population's default, which beats chance; a chooser is judged like them."""
    truth = simulation.truth
    chances = truth.chances(lambda _: truth.population_default)
    assert chances.chosen == chances.population
    assert chances.oracle > 0.85 > 0.75 > chances.population > 0.5 > chances.random > 0.35
    assert truth.chances(truth.best).chosen == chances.oracle


def test_facet_left_out_counts_as_its_average(simulation: Simulation) -> None:
    """A choice of nothing lies between the best and the worst choice."""
    truth = simulation.truth
    user_id = next(iter(truth.users))
    worst = {facet: min(v, key=v.__getitem__) for facet, v in truth.users[user_id].after.items()}
    chances = [truth.chance_of_like(user_id, choice) for choice in (worst, {}, truth.best(user_id))]
    assert chances == sorted(chances)


def test_people_do_not_depend_on_each_other() -> None:
    """A user's tastes, words and changes are the same in a larger crowd with more turns."""
    small = simulate(Scenario(end_ms=END_MS, users=5, turns=50)).truth
    large = simulate(Scenario(end_ms=END_MS, users=500, turns=5000)).truth
    assert [small.users[user_id] for user_id in small.users] == [large.users[user_id] for user_id in small.users]


def test_change_is_abrupt_or_gradual_and_done_by_the_end() -> None:
    """At the end all users is what `after` states, and whoever changes really does in some facet."""
    for user in simulate(Scenario(end_ms=END_MS, users=200, turns=200)).truth.users.values():
        assert user.change_share(END_MS) == 1.0 or user.change == "none"
        assert (user.before != user.after) == (user.change != "none")
        if user.change != "none":
            assert user.change_share(user.change_at - 1) == 0.0
        if user.change == "gradual":
            assert user.change_share(user.change_at + user.change_ms // 2) == pytest.approx(0.5, abs=0.01)
        if user.change == "abrupt":
            assert user.change_share(user.change_at) == 1.0


def test_unknown_person_is_a_key_error(simulation: Simulation) -> None:
    """Only ids that the simulation made are known."""
    for user_id in ("user-999999", "user-1", "ada", "user--00001"):
        assert user_id not in simulation.truth.users


def test_truth_file_says_what_the_simulation_knows(simulation: Simulation, tmp_path: Path) -> None:
    """Written and read again, the truth gives the same answers."""
    path = tmp_path / "truth.jsonl"
    simulation.truth.write(path)
    loaded = Truth.load(path)
    assert loaded.population_default == simulation.truth.population_default
    assert dict(loaded.users) == dict(simulation.truth.users)
    for user_id in loaded.users:
        choice = loaded.best(user_id)
        assert loaded.chance_of_like(user_id, choice) == simulation.truth.chance_of_like(user_id, choice)


def test_truth_file_has_best_values_and_likes_before_and_after(simulation: Simulation) -> None:
    """A reader without our code finds each user's best values and chances in their line."""
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
    """A file of another kind is one clear error."""
    path = tmp_path / "other.jsonl"
    path.write_bytes(content)
    with pytest.raises(SourceError, match=r"other\.jsonl: is no truth file: .*tacit simulate"):
        Truth.load(path)


def test_wipes_and_pins_follow_what_people_said() -> None:
    """A forget drops pins; the last withdrawal or forget is the last wipe."""
    template = next(iter(simulate(Scenario(end_ms=END_MS, users=1, turns=1)).truth.users.values()))
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
