"""benchmarks/learning: what it measures, on histories that are small or made by hand."""

import json
from pathlib import Path as FilePath
from typing import Any

import pytest
from msgspec.structs import replace as with_

from benchmarks.learning import Measured, main, measure
from benchmarks.learning_drift import drift_figures
from benchmarks.learning_figures import Figure, Found, by_confidence, preference_figures
from benchmarks.learning_path import Judged, Path, Said
from benchmarks.learning_plot import plot_confidence
from state.storage.shard_stores import ShardStores
from tacit.contract.signals import Signal
from tacit_lab.simulate import Kind, Scenario, SimulatedUser, Truth, simulate
from tacit_lab.simulate.users import Pin

END_MS = 1_795_297_433_438
SCENARIO = Scenario(end_ms=END_MS, users=40, turns=2500, seed=5, never_consents=0.2, opts_out=0.4, forgets=0.2)
SIGNAL = Signal(
    v="1795297433438-0000000042", value="old", p=0.7, confidence=0.8, tier="apply", source="learned", evidence=9.0,
    runner_up="new", gap=0.1, default=None, explore=0.05, drift_at=None, why=(), by="m2.c1.p0", at=END_MS,
)  # fmt: skip


@pytest.fixture(scope="module")
def measured() -> Measured:
    return measure(simulate(SCENARIO))


def figures(measured: Measured) -> dict[str, Figure]:
    return {figure.name.strip(): figure for group in measured.groups.values() for figure in group}


def value(found: dict[str, Figure], name: str) -> float:
    number = found[name].value
    assert number is not None
    return number


def test_every_group_of_a_small_history_is_measured(measured: Measured) -> None:
    """Predictions lie between a coin's and the oracle's, and so do choices between random and the oracle's."""
    found = figures(measured)
    assert value(found, "log loss of the oracle") < value(found, "log loss") < 0.72
    assert 0.5 < value(found, "area under the ROC curve") < value(found, "area of the oracle")
    assert value(found, "styles drawn at random") < value(found, "as Copilot chooses") < value(found, "the oracle")
    assert value(found, "right after any number of pieces of feedback") > value(found, "right, had all the same value")
    assert found["right after any number of pieces of feedback"].n == len(measured.preferences) > 50
    assert {figure.target for figure in found.values() if figure.target} == {
        "≤ 0.13", "≥ 0.63", "≥ 0.75", "≥ 0.80", "≥ 0.40", "≤ 16", "≤ 4", "≥ 0.60", "≥ 0.72",
    }  # fmt: skip


def test_same_history_gives_the_same_figures(measured: Measured) -> None:
    """Nothing is drawn but from the seed, and no clock is read but the history's."""
    assert measure(simulate(SCENARIO)) == measured


@pytest.mark.parametrize("population", ["learn", "none"])
def test_command_prints_each_figure_beside_its_target(
    population: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A table per group, a column per seed; the same figures as JSON."""
    arguments = ["learning", "--users=20", "--turns=400", "--seeds=1,2", f"--population={population}"]
    monkeypatch.setattr("sys.argv", arguments)
    main()
    lines = capsys.readouterr().out.splitlines()
    monkeypatch.setattr("sys.argv", [*arguments, "--json"])
    main()
    printed = json.loads(capsys.readouterr().out)
    assert [history["seed"] for history in printed["histories"]] == [1, 2]
    for title, group in printed["histories"][0]["groups"].items():
        assert any(line.strip() == title for line in lines)
        for figure in group:
            assert any(line.startswith(figure["name"]) and figure["target"] in line for line in lines)


def test_path_knows_what_copilot_would_read() -> None:
    """Those who emitted no are opted out, those who never emitted yes are absent, and pins are the user's own."""
    simulation = simulate(SCENARIO)
    people = simulation.truth.users
    with ShardStores(None, 1, simulation.catalogue) as stores:
        path = Path(simulation, stores)
        for arrival in simulation.arrivals():
            path.take(arrival)
    statuses = {user_id: path.adaptation(user_id).status for user_id in people}
    for user_id, person in people.items():
        last = max(person.consents, default=(0, None))[1]
        if last is False:
            assert statuses[user_id] == "opted_out"
        if not person.consents and not person.pins:
            assert statuses[user_id] == "absent"
        if last is not False:
            pinned = person.pinned(END_MS)
            signals = path.adaptation(user_id).signals
            assert {facet: s.value for facet, s in signals.items() if s.source == "user"} == pinned
    assert set(statuses.values()) == {"opted_out", "absent", "fresh"}
    assert len(path.judged) > 500
    assert all(0 < judged.p < 1 for judged in path.judged)


def test_closed_loop_serves_by_all_that_arrived_before() -> None:
    """What is read at a turn was made of records of before, and the choice states which signals it followed."""
    simulation = simulate(SCENARIO)
    versions: list[str] = []
    with ShardStores(None, 1, simulation.catalogue) as stores:
        path = Path(simulation, stores)
        for arrival in simulation.arrivals(lambda asked: path.adaptation(asked.user_id).choose(asked.unit)):
            if arrival.made_as is Kind.TURN:
                event: dict[str, Any] = json.loads(arrival.line)
                followed = [entry["version"] for entry in event["acted_on"] if entry["version"]]
                assert all(int(version[:13]) < event["at"] for version in followed)
                versions += followed
            path.take(arrival)
    assert len(set(versions)) > 100


def test_population_is_no_part_of_what_is_learned_without_it() -> None:
    """Then signals state so."""
    simulation = simulate(SCENARIO)
    with ShardStores(None, 1, simulation.catalogue) as stores:
        path = Path(simulation, stores, learns_population=False)
        for arrival in simulation.arrivals():
            path.take(arrival)
    assert {said.signal.by for said in path.said} == {"m2.c1.p0"}
    assert path.adaptation("user-999999").defaults == {}


def person(**changes: Any) -> tuple[str, SimulatedUser]:
    """Return a user with one facet, in which the best value is `old`, and `new` from time 1,000 on."""
    template = next(iter(simulate(Scenario(end_ms=END_MS, users=1, turns=1)).truth.users.values()))
    before, after = {"facet": {"old": 1.0, "new": 0.0}}, {"facet": {"old": 0.0, "new": 1.0}}
    told: dict[str, Any] = {
        "topics": {}, "change": "abrupt", "change_at": 1000, "change_ms": 0, "before": before, "after": after,
        "consents": [(0, True)], "pins": [], "forgets_at": None,
    }  # fmt: skip
    made = with_(template, **(told | changes))
    return made.user_id, made


def feedback(user_id: str, before: int, after: int) -> list[Judged]:
    times = [*range(1000 - before, 1000), *range(1001, 1001 + after)]
    return [Judged(user_id, at_ms, None, {"facet": ["old"]}, 0.5, liked=True) for at_ms in times]


def said(user_id: str, judged: int, value: str, drift_at: int | None = None) -> Said:
    return Said(user_id, "facet", with_(SIGNAL, value=value, drift_at=drift_at), judged)


def drift(told: tuple[str, SimulatedUser], judged: list[Judged], heard: list[Said]) -> dict[str, Figure]:
    truth = Truth(dict([told]), {})
    return {figure.name.strip(): figure for figure in drift_figures(judged, heard, truth)}


def test_flag_after_a_change_counts_once_with_its_delay() -> None:
    """A signal repeats the last flag; only the first one after the change states how long it took."""
    user_id, told = person()
    heard = [said(user_id, 5, "old"), said(user_id, 19, "old", 1009), said(user_id, 22, "new", 1009)]
    found = drift((user_id, told), feedback(user_id, 10, 30), heard)
    assert found["changed best values that are flagged"].value == 1.0
    assert found["pieces of feedback until the flag, median"].value == 9
    assert found["false flags"][2:4] == (0.0, 10)
    assert found["right again 25 pieces of feedback after the change"].value == 1.0


def test_flag_while_nothing_changed_is_false() -> None:
    """Before a change, or of a user who does not change, each flag counts."""
    user_id, told = person()
    heard = [said(user_id, 5, "old", 995), said(user_id, 8, "old", 998), said(user_id, 20, "old", 998)]
    found = drift((user_id, told), feedback(user_id, 10, 30), heard)
    assert found["false flags"].value == pytest.approx(2 / 10 * 1000)
    assert found["changed best values that are flagged"].value == 0.0
    assert found["right again 25 pieces of feedback after the change"].value == 0.0
    _, stable = person(change="none", after=told.before)
    assert drift((user_id, stable), feedback(user_id, 10, 30), heard)["false flags"][2:4] == (50.0, 40)


def test_value_right_for_a_while_is_not_right_again() -> None:
    """What counts is what is preferred after so many pieces of feedback; what comes later does not."""
    user_id, told = person()
    heard = [said(user_id, 12, "new"), said(user_id, 30, "old"), said(user_id, 38, "new")]
    found = drift((user_id, told), feedback(user_id, 10, 30), heard)
    assert found["right again 25 pieces of feedback after the change"].value == 0.0
    assert found["at some time within these 25"].value == 1.0


@pytest.mark.parametrize(
    "changes",
    [{"forgets_at": 500}, {"consents": [(0, True), (500, False)]}, {"pins": [Pin(500, "facet", "old")]}],
)
def test_wiped_and_pinned_are_no_part_of_changes(changes: dict[str, Any]) -> None:
    """What is known of them does not come from all that they judged."""
    user_id, told = person(**changes)
    found = drift((user_id, told), feedback(user_id, 10, 30), [said(user_id, 12, "new", 1002)])
    assert found["changed best values that are flagged"].n == 0


def test_preferences_are_those_learned_and_in_force(measured: Measured) -> None:
    """They fall into bins of confidence, all of them, and into buckets of users' pieces of feedback."""
    bins = by_confidence(measured.preferences)
    assert sum(bin_.n for bin_ in bins) == len(measured.preferences)
    assert all(bin_.low <= bin_.confidence <= bin_.high for bin_ in bins if bin_.confidence is not None)
    rows = preference_figures(measured.preferences)
    assert sum(figure.n for figure in rows[:4]) == rows[4].n


def test_picture_of_confidence_is_drawn(measured: Measured, tmp_path: FilePath) -> None:
    """As PNG and as SVG, into a folder that need not be there."""
    pytest.importorskip("matplotlib")
    found = [*measured.preferences, *[Found(60, 0.97, right=True, default_right=False)] * 10]
    assert plot_confidence(found, tmp_path / "plots").startswith("drawn")
    assert (tmp_path / "plots" / "confidence.png").read_bytes().startswith(b"\x89PNG")
    assert "as sure as right" in (tmp_path / "plots" / "confidence.svg").read_text(encoding="utf-8")
