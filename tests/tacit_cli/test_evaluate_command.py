"""`tacit evaluate`, as it is typed."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from connectors.population.redis_store import PopulationRedisStore
from connectors.redis.client import RedisClient
from dataflows.job import Job
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.catalogue import SHIPPED
from tacit.contract.keys import RegionKeys
from tacit_lab.evaluate.prequential import DeployedModel
from tests.support.commands import tacit
from tests.support.replays import END_MS, write_history
from tests.support.training import Training


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a simulated history in it."""
    folder = tmp_path_factory.mktemp("evaluated")
    write_history(folder / "events.jsonl", users=120, turns=6_000, end_ms=END_MS)
    return folder


def evaluated(cwd: Path, *words: str) -> dict[str, Any]:
    """Return the figures, made without a secret; whatever it prints on stderr is a failure."""
    done = tacit("evaluate", "events.jsonl", "--json", *words, cwd=cwd, TACIT_SECRET="", TACIT_POPULATION="learn")
    assert (done.returncode, done.stderr) == (0, "")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def found(cwd: Path) -> dict[str, Any]:
    """Return the figures as they are without any option, and without Redis."""
    return evaluated(cwd)


def test_deployed_model_beats_the_rate(found: dict[str, Any]) -> None:
    """Of a stream as it comes, with what is wrong in it."""
    assert found["events"] > found["feedback"] > 1_000
    assert found["rejected"] > 0
    assert found["users"] <= 120
    models = found["models"]
    assert list(models) == [
        "tacit",
        "ad_predictor",
        "ad_predictor_full",
        "logistic_regression",
        "user_mean",
        "constant",
    ]
    assert models["tacit"]["last_70"]["all"]["log_loss"] < models["constant"]["last_70"]["all"]["log_loss"]
    assert all(model["cpu_us_per_event"] > 0 for model in models.values())


def test_table_and_picture_are_made(cwd: Path) -> None:
    """In one go."""
    done = tacit("evaluate", "events.jsonl", "--plot", "figures.svg", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split("  ")[0] for line in done.stdout.splitlines()[1:3]] == ["Tacit", "River AdPredictor"]
    assert "rejected)" in done.stdout
    assert (cwd / "figures.svg").read_bytes().startswith(b"<?xml")


def test_population_model_can_be_switched_off(cwd: Path, found: dict[str, Any]) -> None:
    """The baselines do as they did."""
    none = evaluated(cwd, "--population", "none")
    assert none["models"]["tacit"]["last_70"] != found["models"]["tacit"]["last_70"]
    assert none["models"]["ad_predictor"]["last_70"] == found["models"]["ad_predictor"]["last_70"]


def test_version_is_read_from_redis_and_kept_to(cwd: Path, found: dict[str, Any], redis_url: str) -> None:
    """From the namespace that is named; one that is not there is an error."""
    training = Training(NumberedCatalogue.load())
    job = Job(Settings(embedded=True), (cwd / "events.jsonl",), bounded=True)
    examples = [example for batch in DeployedModel(job).examples() for example in batch]
    for number, example in enumerate(examples, 1):
        training.learn(example)
        if number % (len(examples) // 6) == 0:
            training.publish(number * 6 // len(examples))
    keys = RegionKeys("eu").within("shadow")
    with closing(PopulationRedisStore(RedisClient(redis_url), keys)) as store:
        assert store.publish(training.publish(7), fill=False)
    at = ("--redis", redis_url, "--population", "7")
    kept = evaluated(cwd, *at, "--namespace", "shadow")["models"]["tacit"]
    learned = found["models"]["tacit"]
    assert kept["overall"]["all"]["log_loss"] < learned["overall"]["all"]["log_loss"]  # it has seen the answers
    done = tacit("evaluate", "events.jsonl", *at, cwd=cwd)
    assert done.returncode == 2
    assert "population: version 7 is not in namespace live" in done.stderr


def test_baselines_and_a_rival_are_named_by_class(cwd: Path, found: dict[str, Any]) -> None:
    """Parameters come from the file of the settings; other models do as they did."""
    path, other = "river.linear_model.LogisticRegression", "river.naive_bayes.BernoulliNB"
    (cwd / "models.toml").write_text(f'[models."{path}"]\noptimizer = {{ class = "river.optim.SGD", lr = 0.1 }}\n')
    words = ("--baseline", other, "--against", path)
    plain, given = evaluated(cwd, *words), evaluated(cwd, *words, "--config", "models.toml")
    assert list(given["models"])[-2:] == [other, path]
    assert given["models"][other]["last_70"] == plain["models"][other]["last_70"]
    assert given["models"][path]["last_70"] != plain["models"][path]["last_70"]
    assert given["models"]["tacit"]["last_70"] == found["models"]["tacit"]["last_70"]
    pair = given["pairs"][-1]
    assert (pair["first"], pair["second"]) == ("tacit", path)
    compared = pair["last_70"]["all"]
    assert compared["second"] == pytest.approx(given["models"][path]["last_70"]["all"]["log_loss"], abs=1e-5)
    assert compared["low"] < compared["difference"] < compared["high"]


def test_catalogues_are_compared_on_the_same_answers(cwd: Path) -> None:
    """The table names both, and context has a table, too."""
    (cwd / "other.toml").write_text(
        SHIPPED.read_text().replace('"table"', '"tables"').replace("\ntable = ", "\ntables = ")
    )
    done = tacit("evaluate", "events.jsonl", "--against", "other.toml", cwd=cwd)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Tacit against Tacit without context, on the same answers" in done.stdout
    assert "other.toml against Tacit, on the same answers" in done.stdout


def test_many_rejects_are_reported_loudly(cwd: Path) -> None:
    """On stderr, below the table and in the JSON."""
    (cwd / "narrow.toml").write_text(
        SHIPPED.read_text().replace('"table"', '"tables"').replace("\ntable = ", "\ntables = ")
    )
    done = tacit("evaluate", "events.jsonl", "--catalogue", "narrow.toml", cwd=cwd)
    assert done.returncode == 0
    for text in (done.stderr, " ".join(done.stdout.split())):
        assert "WARNING: " in text
        assert "of the records were rejected" in text
        assert "not_in_catalogue served.format (" in text
    found = json.loads(tacit("evaluate", "events.jsonl", "--catalogue", "narrow.toml", "--json", cwd=cwd).stdout)
    assert found["warning"].endswith("and evaluate again.")
    assert found["reject_causes"][0] | {"n": 0} == {"reason": "not_in_catalogue", "detail": "served.format", "n": 0}


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["events.jsonl", "--baseline", "os.system"], "os.system is no import path below river"),
        (["events.jsonl", "--against", "river.tree.Oak"], "River has no such class"),
        (["events.jsonl", "--against", "none.toml"], "catalogue none.toml: cannot be read"),
        (["events.jsonl", "--against", "none"], "against: none is no catalogue, as its name does not end with .toml"),
        (["none.jsonl"], "none.jsonl: there is no such file"),
        (["events.jsonl", "--plot", "figures.pdf"], "must end in .png or .svg"),
        (
            ["events.jsonl", "--population", "some"],
            "population: must be learn, none or the number",
        ),
        (["events.jsonl", "--catalogue", "none.toml"], "catalogue none.toml: cannot be read"),
        ([], "Missing argument 'SOURCE"),
    ],
)
def test_wrong_usage_is_an_error(words: list[str], expected: str, cwd: Path) -> None:
    """Without a traceback."""
    done = tacit("evaluate", *words, cwd=cwd)
    assert done.returncode in {1, 2}
    assert expected in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr
