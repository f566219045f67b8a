"""Benchmark of learning: its figures of small and of hand-written histories."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.learning import HistoryFigures, main, measure
from benchmarks.learning_figures import Figure, LearnedPreference, by_confidence, preference_figures
from benchmarks.learning_path import Deployment
from benchmarks.learning_plot import plot_confidence
from state.storage.shard_stores import ShardStores
from tacit_lab.simulate import Kind, Scenario, simulate

END_MS = 1_795_297_433_438
SCENARIO = Scenario(end_ms=END_MS, users=40, turns=2500, seed=5, never_consents=0.2, opts_out=0.4, forgets=0.2)


@pytest.fixture(scope="module")
def measured() -> HistoryFigures:
    return measure(simulate(SCENARIO))


def figures(measured: HistoryFigures) -> dict[str, Figure]:
    """Return the figures by name; of two groups with the same names, those of the first."""
    return {figure.name.strip(): figure for group in reversed(measured.groups.values()) for figure in group}


def value(found: dict[str, Figure], name: str) -> float:
    number = found[name].value
    assert number is not None
    return number


def test_every_group_of_a_small_history_is_measured(measured: HistoryFigures) -> None:
    """Predictions are better than a coin and worse than the oracle; so are choices of styles."""
    found = figures(measured)
    assert value(found, "log loss of the oracle") < value(found, "log loss") < 0.72
    assert 0.5 < value(found, "area under the ROC curve") < value(found, "area of the oracle")
    assert value(found, "random styles") < value(found, "as the assistant chooses") < value(found, "the oracle")
    assert value(found, "right after 1 or more feedbacks") > value(found, "right with one value for all users")
    assert found["right after 1 or more feedbacks"].n == len(measured.preferences) > 50
    assert {figure.target for figure in found.values() if figure.target} == {
        "≤ 0.13", "≥ 0.63", "≥ 0.75", "≤ 0.02", "≥ -0.005", "≥ 0.71",
    }  # fmt: skip


def test_turns_of_the_loop_are_counted_by_feedback_and_defaults_by_style(measured: HistoryFigures) -> None:
    """The groups of turns make up all turns, and each style lies between chance and the oracle."""
    found = figures(measured)
    groups = [
        figure
        for name, figure in found.items()
        if name in {"after 0–5 feedbacks", "after 6–20 feedbacks", "after 21+ feedbacks"}
    ]
    assert sum(figure.n for figure in groups) == found["as the assistant chooses"].n
    learned, catalogue = (
        value(found, "the learned defaults for all users"),
        value(found, "the catalogue's defaults for all users"),
    )
    assert value(found, "above the catalogue's defaults") == learned - catalogue
    assert 0.2 < min(learned, catalogue) < value(found, "the best single style for all users") + 0.05


def test_same_history_gives_the_same_figures(measured: HistoryFigures) -> None:
    """Random numbers come from the seed alone, and times from the history."""
    assert measure(simulate(SCENARIO)) == measured


@pytest.mark.parametrize("population", ["learn", "none"])
def test_command_prints_each_figure_with_its_target(
    population: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Tables have a column per seed; JSON has the same figures."""
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


def test_deployment_has_the_adaptations_that_an_assistant_reads() -> None:
    """A user who withdrew consent is opted out, a user without consent and pins is absent, and pins are in force."""
    simulation = simulate(SCENARIO)
    users = simulation.truth.users
    with ShardStores(None, 1, simulation.catalogue) as stores:
        deployment = Deployment(simulation, stores)
        for arrival in simulation.arrivals():
            deployment.take(arrival)
    statuses = {user_id: deployment.adaptation(user_id).status for user_id in users}
    for user_id, user in users.items():
        last = max(user.consents, default=(0, None))[1]
        if last is False:
            assert statuses[user_id] == "opted_out"
        if not user.consents and not user.pins:
            assert statuses[user_id] == "absent"
        if last is not False:
            pinned = user.pinned(END_MS)
            signals = deployment.adaptation(user_id).signals
            assert {facet: s.value for facet, s in signals.items() if s.source == "user"} == pinned
    assert set(statuses.values()) == {"opted_out", "absent", "fresh"}
    assert len(deployment.predictions) > 500
    assert all(0 < prediction.p < 1 for prediction in deployment.predictions)


def test_closed_loop_follows_signals_of_earlier_records() -> None:
    """Every signal that a turn followed is older than the turn."""
    simulation = simulate(SCENARIO)
    versions: list[str] = []
    with ShardStores(None, 1, simulation.catalogue) as stores:
        deployment = Deployment(simulation, stores)
        for arrival in simulation.arrivals(deployment.choose):
            if arrival.made_as is Kind.TURN:
                event: dict[str, Any] = json.loads(arrival.line)
                followed = [entry["version"] for entry in event["acted_on"] if entry["version"]]
                assert all(int(version[:13]) < event["at"] for version in followed)
                versions += followed
            deployment.take(arrival)
    assert len(set(versions)) > 100


def test_population_none_leaves_the_population_model_out() -> None:
    """Signals name no population version, and no default exists."""
    simulation = simulate(SCENARIO)
    with ShardStores(None, 1, simulation.catalogue) as stores:
        deployment = Deployment(simulation, stores, learns_population=False)
        for arrival in simulation.arrivals():
            deployment.take(arrival)
    assert {emitted.signal.by for emitted in deployment.emitted} == {"m3.c1.p0"}
    assert deployment.adaptation("user-999999").defaults == {}


def test_every_preference_is_in_one_bin_and_one_bucket(measured: HistoryFigures) -> None:
    """Bins divide the confidence, buckets the number of a user's feedbacks."""
    bins = by_confidence(measured.preferences)
    assert sum(bin_.n for bin_ in bins) == len(measured.preferences)
    assert all(bin_.low <= bin_.confidence <= bin_.high for bin_ in bins if bin_.confidence is not None)
    rows = preference_figures(measured.preferences)
    assert sum(figure.n for figure in rows[:4]) == rows[4].n


def test_plot_of_confidence_is_written(measured: HistoryFigures, tmp_path: Path) -> None:
    """PNG and SVG files, in a folder that is created."""
    pytest.importorskip("matplotlib")
    preferences = [
        *measured.preferences,
        *[LearnedPreference(60, 0.97, right=True, default_right=False, beats=True)] * 10,
    ]
    assert plot_confidence(preferences, tmp_path / "plots").startswith("plots written")
    assert (tmp_path / "plots" / "confidence.png").read_bytes().startswith(b"\x89PNG")
    assert "confidence = share" in (tmp_path / "plots" / "confidence.svg").read_text(encoding="utf-8")
