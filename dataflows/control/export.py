"""Export of all that is held and inferred about one user. The command and the HTTP API use it."""

from time import time_ns
from typing import Any, Literal, NamedTuple

from dataflows.control.audit import audited
from dataflows.control.export_contexts import context_beliefs, emitted_contexts, mood_belief
from dataflows.control.export_document import (
    ActivityPart,
    BeliefsPart,
    Checkpoint,
    ConsentPart,
    EarlierFeedback,
    EmittedPart,
    EmittedSignal,
    EvidencePart,
    Export,
    FacetBeliefs,
    FeedbackPiece,
    Gaussian,
    InferredPart,
    PinsPart,
    RecentPart,
    RedisPart,
    SessionDocument,
    TotalFeedback,
    UserPin,
)
from dataflows.control.export_parts import ABOUT, ELSEWHERE
from dataflows.control.export_redis import redis_part
from dataflows.control.why import consents, explained
from dataflows.inspection import Inspected
from dataflows.population_run import folder_prior
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.events.observation import NONE
from state.learning.decisions import TIERS
from state.learning.feedback_piece import Form, Side
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.learning.side_sums import PER_WEIGHT
from state.storage import checkpoint_reader
from state.user.user_state import UserState
from state.user.windows import Windows
from tacit.contract.activity import WINDOWS
from tacit.contract.pseudonyms import pseudonym_text

PARTS = ("checkpoint", "consent", "pins", "activity", "recent", "beliefs", "evidence", "emitted", "inferred")
"""Parts from the state folder."""

_FORMS: dict[Form, Literal["dislike", "like", "prefers_lower", "prefers_higher"]] = {
    Form.DISLIKE: "dislike",
    Form.LIKE: "like",
    Form.PREFERS_LOWER: "prefers_lower",
    Form.PREFERS_HIGHER: "prefers_higher",
}
_SIDES: dict[Side, Literal["for", "against"]] = {Side.FOR: "for", Side.AGAINST: "against"}


class Read(NamedTuple):
    """A user's state, and the checkpoint that it was read from."""

    state: UserState
    checkpoint: checkpoint_reader.Checkpoint


def export(settings: Settings, folder: Inspected, user: bytes, *, reads_redis: bool) -> Export:
    """Return the export of a user; the audit has the action.

    Args:
        settings: settings with `population`, `redis`, `audit` and `operator`.
        folder: state folder.
        user: 16-byte pseudonym.
        reads_redis: include the user's keys in Redis.

    Raises:
        StateError: the folder cannot be read.
        SinkError: Redis does not answer.
    """
    with audited(settings, "export", user, redis=reads_redis):
        found, checkpoint = folder.checkpoints.get(user)
        prior, _ = folder_prior(settings, folder.path, folder.catalogue)
        redis = redis_part(settings.redis, folder.identity.region, user) if reads_redis else None
        read = Read(found, checkpoint) if found and checkpoint else None
        return exported(user, read, prior, folder.identity.region, time_ns() // 1_000_000, redis)


def exported(
    user: bytes, read: Read | None, prior: Prior, region: str, made_at_ms: int, redis: RedisPart | None = None
) -> Export:
    """Return the export of a state that was read; None: the folder has nothing about the user."""
    parts = {} if read is None else _parts(user, read, prior)
    return Export(
        schema=1,
        made_at_ms=made_at_ms,
        user=pseudonym_text(user),
        region=region,
        redis=redis,
        elsewhere=ELSEWHERE,
        **{name: parts.get(name) for name in PARTS},
    )


def _parts(user: bytes, read: Read, prior: Prior) -> dict[str, Any]:
    state, catalogue = read.state, prior.catalogue
    parts: dict[str, Any] = {
        "checkpoint": _checkpoint(read),
        "consent": _consent(state, catalogue),
        "pins": _pins(state, catalogue) if state.pins else None,
        "activity": _activity(state.windows, catalogue) if state.has_windows else None,
        "recent": _recent(state),
        "emitted": _emitted(state, catalogue),
        "inferred": InferredPart(
            ABOUT["inferred"],
            prior.number,
            explained(user, state, read.checkpoint, prior, catalogue.facet_index).facets,
        ),
    }
    if state.preferences is not None:
        parts |= {
            "beliefs": _beliefs(state.preferences, catalogue),
            "evidence": _evidence(state.preferences, catalogue),
        }
    return parts


def _checkpoint(read: Read) -> Checkpoint:
    manifest, state = read.checkpoint.manifest, read.state
    return Checkpoint(manifest.shard, manifest.number, read.checkpoint.made_ms, state.newest_ms, state.seq)


def _consent(state: UserState, catalogue: NumberedCatalogue) -> ConsentPart:
    consent, names = state.consent, catalogue.facet_names
    return ConsentPart(
        ABOUT["consent"],
        consents(state),
        consent.allows(state.newest_ms, catalogue),
        consent.wiped_ms,
        consent.forgotten_ms,
        {names[facet]: at_ms for facet, (at_ms, _) in consent.wiped.items()},
        {names[facet]: events for facet, (_, events) in consent.wiped.items()},
        len(consent.controls),
    )


def _pins(state: UserState, catalogue: NumberedCatalogue) -> PinsPart:
    names, slots = catalogue.facet_names, catalogue.slots
    pins = {
        names[facet]: UserPin(None if pin.slot == NONE else slots[pin.slot].value, pin.at_ms)
        for facet, pin in state.pins.items()
    }
    return PinsPart(ABOUT["pins"], pins)


def _activity(windows: Windows, catalogue: NumberedCatalogue) -> ActivityPart:
    panes, first = {}, 0
    for window in WINDOWS:
        panes[window.key] = tuple(windows.panes[first : first + window.panes.number])
        first += window.panes.number
    topics = (catalogue.vocabulary or Vocabulary().including(catalogue)).topics
    weights = zip(windows.topic_ids, windows.topic_weights, strict=True)
    return ActivityPart(
        ABOUT["activity"],
        panes,
        tuple(windows.hours),
        {topics[topic]: weight for topic, weight in weights if topic < len(topics)},
        tuple(SessionDocument(*session) for session in windows.sessions.rows),
    )


def _recent(state: UserState) -> RecentPart:
    events, turns = state.events, state.turns
    return RecentPart(
        ABOUT["recent"],
        len(events.hashes),
        events.next,
        len(turns.hashes),
        turns.next,
        tuple(turns.learned),
        turns.disliked,
    )


def _emitted(state: UserState, catalogue: NumberedCatalogue) -> EmittedPart:
    names, slots, held = catalogue.facet_names, catalogue.slots, state.row.numbers
    signals = {}
    if state.has_preferences:
        evidence = held("emitted_evidence")
        columns = zip(*[held(f"emitted_{name}") for name in ("slots", "tiers", "confidences", "ms")], strict=True)
        for facet, (slot, tier, confidence, at_ms) in enumerate(columns):
            signals[names[facet]] = EmittedSignal(
                slots[slot].value if slot >= 0 else None,
                TIERS[tier],
                confidence,
                evidence[2 * facet] / PER_WEIGHT,
                evidence[2 * facet + 1] / PER_WEIGHT,
                emitted_contexts(state, facet),
                at_ms,
            )
    oldest_ms = min([signal.at_ms for signal in signals.values() if signal.at_ms], default=0)
    return EmittedPart(ABOUT["emitted"], signals, oldest_ms, held("profile_pane"))


def _beliefs(own: OwnBeliefs, catalogue: NumberedCatalogue) -> BeliefsPart:
    return BeliefsPart(
        ABOUT["beliefs"],
        {name: _facet_beliefs(own, facet, catalogue) for facet, name in enumerate(catalogue.facet_names)},
        Gaussian(own.bias, own.bias_variance),
        mood_belief(own.mood),
        context_beliefs(own.contexts, catalogue),
        own.feedback_count,
        own.population,
    )


def _facet_beliefs(own: OwnBeliefs, facet: int, catalogue: NumberedCatalogue) -> FacetBeliefs:
    means, variances = own.means, own.variances
    return FacetBeliefs(
        {
            value: Gaussian(means[slot], variances[slot])
            for slot, (its_facet, value) in enumerate(catalogue.slots)
            if its_facet == facet
        },
        Gaussian(own.slopes[facet], own.slope_variances[facet]),
    )


def _evidence(own: OwnBeliefs, catalogue: NumberedCatalogue) -> EvidencePart:
    facets, slots, log = catalogue.facet_names, catalogue.slots, own.log
    pieces = [
        FeedbackPiece(
            piece.at_ms,
            catalogue.feedback_names[piece.kind],
            _FORMS[piece.form],
            piece.weight,
            tuple((facets[slots[slot].facet], slots[slot].value) for slot in piece.slots),
            tuple(facets[facet] for facet in piece.only),
            piece.mean,
            piece.variance,
        )
        for piece in log.pieces
    ]
    total = [
        TotalFeedback(facets[facet], value, _SIDES[side], log.total(slot, side))
        for slot, (facet, value) in enumerate(slots)
        for side in Side
        if log.total(slot, side)
    ]
    earlier = [
        EarlierFeedback(facets[facet], value, _SIDES[side], *log.earlier(slot, side))
        for slot, (facet, value) in enumerate(slots)
        for side in Side
        if any(log.earlier(slot, side))
    ]
    return EvidencePart(ABOUT["evidence"], tuple(pieces), tuple(total), tuple(earlier), log.uncounted)
