"""dataflows/control/why and why_text: the document on a user's values, and its sentences."""

import json
from collections.abc import Sequence
from pathlib import Path

import msgspec
import pytest

from dataflows.control.why import explained
from dataflows.control.why_document import Why, WhyFacet
from dataflows.inspection import inspect
from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Kind, Observation
from state.learning.population_prior import Prior
from state.learning.population_version import Gaussian, PopulationVersion
from state.storage.checkpoint_reader import Checkpoint
from state.storage.manifest import Manifest
from state.user.consent import USE
from state.user.rules import Rules
from state.user.user_state import UserState
from tacit.contract.pseudonyms import pseudonym
from tests.formats import ARCHIVES, STATE, unpack
from tests.formats import CATALOGUE as CATALOGUE_FILE
from tests.support.commands import SECRET
from tests.support.factories import CATALOGUE, RULES, START_MS, USER, make_observation, make_pin

CHECKPOINT = Checkpoint(
    Path("c1"), Manifest(shard=3, shards=16, number=1, execution="x", users=1, sequence=1, files={}), START_MS
)
FORMAL = {"default:tone=formal": Gaussian(0.9, 0.001)}
POPULATION = Rules(CATALOGUE, population=Prior(CATALOGUE, PopulationVersion(9, 2, START_MS, 1000, FORMAL, {}, ())))
LIKES = [make_observation(START_MS + n, served={"length": "detailed"}, feedback="thumbs_up") for n in range(6)]


def document(history: Sequence[Observation], rules: Rules = RULES) -> Why:
    state = UserState(CATALOGUE)
    for o in history:
        state.observe(o, rules)
    return explained(USER, state, CHECKPOINT, rules.prior, CATALOGUE.facet_index)


def on(facet: str, history: Sequence[Observation], rules: Rules = RULES) -> WhyFacet:
    (found,) = (each for each in document(history, rules).facets if each.facet == facet)
    return found


def test_document_has_all_facets_and_no_user_id() -> None:
    """The user is named by the pseudonym."""
    found = document(LIKES)
    assert [each.facet for each in found.facets] == list(CATALOGUE.facets)
    assert found.user.startswith("k1.")
    assert json.loads(msgspec.json.encode(found))["consent"]["learn"] == {"state": "unasked", "since_ms": 0}


def test_learned_value_has_its_feedback() -> None:
    """Numbers and sentences name kinds, weight, day and the counterfactual."""
    found = on("length", LIKES)
    assert (found.served.value, found.served.source) == ("detailed", "learned")
    detailed = found.values[-1]
    assert detailed.evidence_for.kinds == {"thumbs_up": 6}
    assert detailed.evidence_for.newest_ms == START_MS
    assert found.default == "balanced"
    assert found.without[0].prediction.value == "balanced"
    text = "\n".join(found.text)
    assert "Answer length: detailed. Tacit is" in text
    assert "For detailed: thumbs_up × 6; the newest on 2026-11-22, together a weight of 5.9 today." in text
    assert "Without what speaks for it (6 pieces of feedback) it would be balanced, 50% sure (tier default)." in text


def test_pin_is_named_with_what_was_learned_below() -> None:
    """The user's own setting is the value, and the learned value stays visible."""
    found = on("length", [*LIKES, make_pin(START_MS + 10, "length", "concise")])
    assert (found.served.value, found.served.tier, found.served.source) == ("concise", "apply", "user")
    assert found.pin is not None
    assert (found.pin.value, found.pin.at_ms, found.pin.in_force) == ("concise", START_MS + 10, True)
    assert found.learned.value == "detailed"
    assert found.text[0] == "Answer length: concise. You set this yourself on 2026-11-22."
    assert found.text[1].startswith("Without your setting it would be detailed")


@pytest.mark.parametrize(("is_careful", "served"), [(False, ("act", "learned")), (True, ("suggest", "default"))])
def test_unsure_value_is_what_assistants_serve(is_careful: bool, served: tuple[str, str]) -> None:
    """Below the tier `hint`, readers serve the value, and of a careful facet the default."""
    initiative = msgspec.structs.replace(CATALOGUE.facets["initiative"], careful=is_careful)
    catalogue = msgspec.structs.replace(CATALOGUE, facets={**CATALOGUE.facets, "initiative": initiative})
    copied = make_observation(served={"initiative": "act"}, feedback="copied")
    found = on("initiative", [copied], Rules(catalogue))
    assert (found.learned.value, found.learned.tier) == ("act", "default")
    assert (found.served.value, found.served.source) == served
    assert found.without_pin == served[0]
    assert found.text[0].endswith(", the default." if is_careful else "from your feedback. Assistants only try it.")


def test_denied_use_gives_defaults() -> None:
    """A pin is not in force, either."""
    denied = make_observation(START_MS + 20, kind=Kind.DENY, scopes=[USE])
    found = on("length", [*LIKES, make_pin(START_MS + 10, "length", "concise"), denied])
    assert (found.served.value, found.served.source) == ("balanced", "default")
    assert found.pin is not None
    assert not found.pin.in_force
    assert "You do not want assistants to use what was learned" in found.text[0]


def test_population_gives_the_default() -> None:
    """The choice of all users is named as such."""
    found = on("tone", LIKES, POPULATION)
    assert (found.default, found.default_of) == ("formal", "population")
    assert "For users who gave no feedback it is formal, what suits most users." in found.text


def test_denied_learning_leaves_nothing_to_change() -> None:
    """The text reports that nothing is learned."""
    found = document([*LIKES, make_observation(START_MS + 20, kind=Kind.DENY)])
    assert not found.learns
    for facet in found.facets:
        assert not facet.changes
        assert facet.text[-1] == "Nothing is learned from you, so feedback changes nothing."


@pytest.mark.parametrize("facet", CATALOGUE.facets)
def test_every_facet_has_sentences(facet: str) -> None:
    """Each sentence is one line that ends with a full stop."""
    for sentence in on(facet, LIKES).text:
        assert sentence.endswith(".")
        assert "\n" not in sentence


def test_feedback_from_before_the_log_is_named_honestly(tmp_path: Path) -> None:
    """A state of format 3 has beliefs, and no evidence per value; new feedback is counted."""
    unpack(ARCHIVES / "format-3.tar.gz", tmp_path)
    folder = inspect(tmp_path / STATE, NumberedCatalogue.load(tmp_path / CATALOGUE_FILE))
    user, prior = pseudonym("ada", SECRET.encode()), Prior(folder.catalogue)
    state, checkpoint = folder.checkpoints.get(user)
    assert state is not None
    assert checkpoint is not None
    found = explained(user, state, checkpoint, prior, {"length": folder.catalogue.facet_index["length"]}).facets[0]
    assert found.has_uncounted
    assert (found.evidence, found.served.source) == (0.0, "learned")
    assert not any(value.evidence_for.weight or value.evidence_against.weight for value in found.values)
    assert not found.without
    assert "Older feedback of yours counts as well; back then it was not noted for which value it was." in found.text
    liked = make_observation(
        state.newest_ms + 1, served={"length": "concise"}, feedback="thumbs_up", catalogue=folder.catalogue
    )
    state.observe(liked, Rules(folder.catalogue))
    found = explained(user, state, checkpoint, prior, {"length": folder.catalogue.facet_index["length"]}).facets[0]
    assert found.values[0].evidence_for.kinds == {"thumbs_up": 1}
    assert {each.basis for each in found.without} <= {"partial"}
