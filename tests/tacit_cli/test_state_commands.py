"""Commands `tacit state`: contents of a folder without a change to it, and clear errors."""

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from state.catalogue.numbered import NumberedCatalogue
from state.row.layout import FIELDS, VERSION, layout_of, sizes_of
from state.storage.shards import shard_of
from state.user.history import ENTRY, HEAD
from tacit.contract.gates import SCOPES
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tests.support.commands import SECRET, tacit
from tests.support.folder_listing import everything_below
from tests.support.histories import MINUTE_MS, START_MS, STORIES, make_state, printed, refusal
from tests.support.replays import now_ms


@pytest.fixture(scope="module")
def cwd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which `state` is what the stories leave."""
    folder = tmp_path_factory.mktemp("stories")
    make_state(folder)
    return folder


@pytest.fixture
def copy(cwd: Path, tmp_path: Path) -> Path:
    """Return a folder whose `state` may be spoiled."""
    shutil.copytree(cwd / "state", tmp_path / "state")
    return tmp_path


def show(user: str, cwd: Path) -> dict[str, Any]:
    """Return the document of a user."""
    shown: dict[str, Any] = json.loads(printed(cwd, "show", user, "--json"))
    return shown


def consents(state: str, since_ms: int) -> dict[str, object]:
    """Return the consents of a user with one state in all scopes."""
    return {scope: {"state": state, "since_ms": since_ms} for scope in SCOPES}


# One user


def test_document_has_the_state_of_a_user(cwd: Path) -> None:
    """By pseudonym, with the names that scripts rely on."""
    shown = show("u:ada", cwd)
    user = pseudonym("u:ada", SECRET.encode())
    last_ms = START_MS + 8 * MINUTE_MS
    expected = {
        "user": pseudonym_text(user),
        "shard": shard_of(user, 16),
        "checkpoint": 1,
        "consent": consents("granted", START_MS),
        "learns": True,
        "wiped_ms": 0,
        "forgotten_ms": 0,
        "newest_ms": last_ms,
        "seq": 9,
        "pins": {
            "tone": {"value": "formal", "at_ms": last_ms - 2 * MINUTE_MS, "in_force": True},
            "format": {"value": None, "at_ms": last_ms, "in_force": False},
        },
        "activity": {"1h": 5, "24h": 5, "7d": 5},
        "session": {"started_at": START_MS + MINUTE_MS, "turns": 5, "negative_share": 0.0},
        "topics": [["code", 1.0]],
    }
    assert {name: shown[name] for name in expected} == expected
    assert sum(shown["hours"]) == pytest.approx(5, abs=0.2)
    assert 0 <= now_ms() - shown["checkpoint_at_ms"] < 600_000


def test_row_is_shown_field_by_field(cwd: Path) -> None:
    """All of it, with the same numbers as in the document, and as a table."""
    shown = json.loads(printed(cwd, "show", "u:ada", "--row", "--json"))
    fields = {name: numbers for group in shown["fields"].values() for name, numbers in group.items()}
    assert list(fields) == [*[field.name for field in FIELDS], "written", "entries"]
    assert (shown["layout"], fields["version"], fields["seq"]) == (VERSION, VERSION, 9)
    history = HEAD.size + ENTRY.size * len(fields["entries"])
    assert shown["bytes"] == layout_of(sizes_of(NumberedCatalogue.load())).size + history
    assert "turn_weights" in printed(cwd, "show", "u:ada", "--row")


def test_beliefs_are_shown_by_value(cwd: Path) -> None:
    """For every value of the catalogue, liked ones ahead; with what is decided from them."""
    beliefs = show("u:ada", cwd)["beliefs"]
    facets = NumberedCatalogue.load().facets
    assert {name: tuple(belief["values"]) for name, belief in beliefs.items()} == {
        name: facet.values for name, facet in facets.items()
    }
    length = beliefs["length"]
    assert length["decision"]["value"] == "concise"
    assert (length["decision"]["tier"] == "apply") == (length["decision"]["limited_by"] == [])
    assert beliefs["tone"]["decision"]["limited_by"] == ["default_is_better"]
    assert length["values"]["concise"]["mean"] > 0 > length["values"]["detailed"]["mean"]
    assert length["values"]["concise"]["sd"] < beliefs["tone"]["values"]["formal"]["sd"]
    assert length["values"]["concise"]["evidence"] > 4 > 0 == beliefs["tone"]["values"]["formal"]["evidence"]


def test_opted_out_user_has_consent_denied_and_no_learned_state(cwd: Path) -> None:
    """The opt-out is a wipe."""
    shown = show("u:opted-out", cwd)
    last_ms = START_MS + 2 * MINUTE_MS
    assert (shown["consent"], shown["wiped_ms"]) == (consents("denied", last_ms), last_ms)
    assert (shown["learns"], shown["beliefs"], shown["activity"]) == (False, {}, {"1h": 0, "24h": 0, "7d": 0})


def test_forgotten_user_keeps_times_only(cwd: Path) -> None:
    """An earlier consent no longer counts."""
    shown = show("u:forgotten", cwd)
    last_ms = START_MS + 2 * MINUTE_MS
    assert (shown["consent"], shown["learns"]) == (consents("unasked", last_ms), False)
    assert (shown["wiped_ms"], shown["forgotten_ms"], shown["newest_ms"]) == (last_ms, last_ms, last_ms)
    assert (shown["pins"], shown["topics"], shown["beliefs"], max(shown["hours"])) == ({}, [], {}, 0)


@pytest.mark.parametrize("user", STORIES)
@pytest.mark.parametrize("words", [(), ("--json",)])
def test_user_id_is_never_printed(user: str, words: tuple[str, ...], cwd: Path) -> None:
    """The output may be passed on."""
    output = printed(cwd, "show", user, *words)
    assert user not in output
    assert pseudonym_text(pseudonym(user, SECRET.encode())) in output


def test_panel_has_the_state_of_a_user(cwd: Path) -> None:
    """Times in UTC, counts in words, beliefs in rows."""
    lines = [re.split(r" {2,}", line.strip("│ ")) for line in printed(cwd, "show", "u:ada").splitlines()]
    rows = {line[0]: line[1:] for line in reversed(lines)}
    assert re.fullmatch(r"\d+, checkpoint 1 of \d+ (s|min) ago", rows["shard"][0])
    for scope in SCOPES:
        assert re.fullmatch(r"granted since \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", rows[f"consent to {scope}"][0])
    assert rows["last wipe"] == rows["last forget"] == ["none"]
    assert rows["accepted events"] == ["9 since the last wipe or long absence"]
    assert rows["format"][0] == "(removed)"
    assert rows["turns"] == ["5 in 1 h, 5 in 24 h, 5 in 7 d"]
    assert rows["topics"] == ["code 100%"]
    assert ["length", "concise"] in [line[:2] for line in lines]


@pytest.mark.parametrize(
    ("user", "expected"),
    [("u:forgotten", "unasked since "), ("u:opted-out", "denied since ")],
)
def test_consent_is_shown_as_text(user: str, expected: str, cwd: Path) -> None:
    """Also without a consent, and after a forget."""
    assert re.search(rf"consent to learn +{expected}", printed(cwd, "show", user))


def test_unknown_user_is_status_1(cwd: Path) -> None:
    """In a sentence that does not repeat the id."""
    expected = "state: the newest checkpoint has no user of that id; check the user id"
    assert refusal(cwd, "show", "u:nobody") == expected


def test_another_secret_has_an_error_of_its_own(cwd: Path) -> None:
    """No pseudonym matches under another secret."""
    error = refusal(cwd, "show", "u:ada", secret="another-secret-of-32-bytes-length")
    assert error.startswith("the state folder state was made under another secret")
    assert error.endswith("set TACIT_SECRET to the one that its workers have")


def test_another_catalogue_is_refused(cwd: Path) -> None:
    """Its names have no numbers here."""
    (cwd / "other.toml").write_text(
        'schema = 1\n[facets.mood]\ntitle = "Mood"\nvalues = ["calm", "lively"]\n[feedback.thumbs_up]\nlabel = true\n'
    )
    error = refusal(cwd, "show", "u:ada", "--catalogue", "other.toml")
    assert error.endswith("give the catalogue of its workers by --catalogue")


def test_reading_writes_nothing(copy: Path) -> None:
    """Nothing is made, changed or left behind."""
    before = everything_below(copy / "state")
    printed(copy, "show", "u:ada")
    printed(copy, "stats")
    assert everything_below(copy / "state") == before


def test_reading_about_a_user_leaves_a_line_in_the_audit(copy: Path) -> None:
    """By pseudonym; a failed one, too, and the sizes of a folder are about no user."""
    printed(copy, "show", "u:ada")
    refusal(copy, "show", "u:nobody")
    printed(copy, "stats")
    entries = [json.loads(line) for line in (copy / "audit.jsonl").read_text().splitlines()]
    user, unknown = (pseudonym_text(pseudonym(name, SECRET.encode())) for name in ("u:ada", "u:nobody"))
    expected = [("state_show", user, "done"), ("state_show", unknown, "failed")]
    assert [(entry["action"], entry["user"], entry["outcome"]) for entry in entries] == expected


def test_reading_without_an_audit_warns(cwd: Path) -> None:
    """And works."""
    done = tacit("state", "show", "u:ada", "--state", "state", cwd=cwd)
    assert (done.returncode, "audit.not_configured" in done.stderr) == (0, True)


# Errors


def _no_folder(state: Path) -> str:
    shutil.rmtree(state)
    return "state is no state folder: it has no tacit.json; name one that a run was given by --state"


def _of_another_format(state: Path) -> str:
    description = json.loads((state / "tacit.json").read_bytes())
    (state / "tacit.json").write_text(json.dumps(description | {"format": 1}))
    return "the state folder state has format 1, and this version reads 3, 4, 5, 6 and 7: use the version that wrote it"


def _damaged_description(state: Path) -> str:
    (state / "tacit.json").write_bytes(b'{"shards":16')
    return "state/tacit.json cannot be read: "


@pytest.mark.parametrize("spoil", [_no_folder, _of_another_format, _damaged_description])
@pytest.mark.parametrize("command", [("show", "u:ada"), ("stats",)])
def test_unreadable_state_folder_is_an_error(
    spoil: Callable[[Path], str], command: tuple[str, ...], copy: Path
) -> None:
    """One line with the remedy."""
    expected = spoil(copy / "state")
    assert refusal(copy, *command).startswith(expected)


def test_damaged_vocabulary_is_refused(copy: Path) -> None:
    """Without it numbers mean nothing."""
    (copy / "state" / "vocabulary.json").write_text("{")
    assert refusal(copy, "show", "u:ada").startswith("state/vocabulary.json cannot be read: ")


def test_damaged_checkpoint_is_refused(copy: Path) -> None:
    """It is named."""
    for manifest in copy.glob("state/shards/*/c*/MANIFEST-*"):
        manifest.write_bytes(manifest.read_bytes()[:-1])
    error = refusal(copy, "show", "u:ada")
    assert re.match(r"shard \d+: checkpoint c0000000001-\w{8} in .* is damaged: MANIFEST-\d+ has other bytes", error)


def test_state_folder_is_required() -> None:
    """Its absence is wrong usage."""
    done = tacit("state", "show", "u:ada")
    assert (done.returncode, done.stderr) == (2, "tacit: state: is required; name the state folder by --state DIR\n")
    assert tacit("state", "stats").returncode == 2
