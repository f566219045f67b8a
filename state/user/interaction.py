"""Interactions: activity is counted, feedback trains, and the results are emitted."""

from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE, Observation
from state.learning.example import NOTHING_LOGGED, Example, Logged
from state.learning.logged_choices import is_sampled, once
from state.learning.user_model import Learned
from state.user.parts import ACCEPTED, BEFORE_WIPE, DUPLICATE, LATE, UNCONSENTED, Observed, UserParts
from state.user.rules import Rules
from state.user.sessions import SESSION_GAP_MS
from tacit.contract.catalogue import FeedbackKind


def observe_interaction(user: UserParts, o: Observation, rules: Rules) -> Observed:
    """Take in an interaction."""
    if o.at_ms <= user.consent.wiped_ms:
        return BEFORE_WIPE
    if not user.consent.allows(o.at_ms, rules.catalogue):
        return UNCONSENTED
    if o.event in user.events:
        return DUPLICATE
    if o.at_ms < user.newest_ms - rules.lateness_ms:
        return LATE
    return _observe_accepted(user, o, rules)


def _observe_accepted(user: UserParts, o: Observation, rules: Rules) -> Observed:
    catalogue, prior = rules.catalogue, rules.prior
    kind = None if o.feedback == NONE else catalogue.feedback_kinds[o.feedback]
    weight, disliked = (0.0, False) if kind is None else (kind.weight, kind.label is not True)
    sensitive = o.topic in catalogue.sensitive_topics
    before_ms = user.accept(o.at_ms)
    user.events.add(o.event)
    turn, is_new_turn, disliked, weight = user.turns.observe(o.turn, weight, disliked, sensitive)
    if not user.has_windows:
        user.windows.begin()
    user.windows.observe(before_ms, user.newest_ms, o.at_ms, is_new_turn, NONE if sensitive else o.topic, disliked)
    if user.consent.forgot_any():
        o = _without_forgotten_facets(user, o, catalogue)
    observed, learned, outbox = ACCEPTED, None, user.waiting.outbox
    if kind is not None and weight and o.slots:
        observed, learned = _train(user, o, rules, kind, weight, turn)
    if user.consent.uses:
        if learned is not None and learned.facets:
            user.emitter.emit_learned(outbox, prior, list(learned.facets), learned.rows, learned.opened)
        is_new_pane = user.emitter.emit_profile(outbox)
        if rules.ttl_ms is not None:
            before_ms = user.newest_ms - rules.ttl_ms // 2
            user.emitter.emit_due(outbox, prior, before_ms)
            if is_new_pane:
                user.history.renew(before_ms)
    return observed


def _without_forgotten_facets(user: UserParts, o: Observation, catalogue: NumberedCatalogue) -> Observation:
    """Return the interaction without the values of facets that were forgotten after it."""
    forgotten = {facet for facet, (at_ms, _) in user.consent.wiped.items() if o.at_ms <= at_ms}
    if not forgotten:
        return o
    return replace(o, slots=[slot for slot in o.slots if catalogue.slot_facets[slot] not in forgotten])


def _train(
    user: UserParts, o: Observation, rules: Rules, kind: FeedbackKind, weight: float, turn: int
) -> tuple[Observed, Learned]:
    """Train with feedback; return the result, and the changed facets."""
    if not user.has_preferences:
        user.begin_preferences()
    feedback_count = user.row.feedback_count[user.row.at]
    logged = _logged(user, o, rules, turn) if rules.proves else None
    learned = user.model.learn_feedback(o, kind, weight, rules.prior)
    if not learned.facets:
        return ACCEPTED, learned
    if turn != NONE:
        user.turns.use(turn, weight)
    if not rules.teaches and (logged is None or logged is NOTHING_LOGGED):
        return ACCEPTED, learned
    example = _example(o, kind.label is True, weight, feedback_count, learned, logged)
    return Observed(ACCEPTED.outcome, example), learned


def _logged(user: UserParts, o: Observation, rules: Rules, turn: int) -> Logged | None:
    """Return what the answer proves, before the feedback trains; None for repeated feedback on a turn.

    The answer is compared with signals emitted before.
    """
    if turn != NONE and user.turns.used(turn):
        return None
    pins, catalogue, model = user.pins, rules.catalogue, user.model
    if not (o.acted or o.proposed or catalogue.holdout.share):
        return NOTHING_LOGGED
    facets = catalogue.slot_facets
    acted, opens = once(o.acted, facets), o.at_ms - 1000 * model.log.newest_s() >= SESSION_GAP_MS
    if pins:
        acted = [choice for choice in acted if not pins.is_set(facets[choice[0]], catalogue)]
    if not opens and not is_sampled(o.at_ms):
        acted = [choice for choice in acted if choice[1] <= 0.5]
        if not (acted or o.proposed or catalogue.holdout.share):
            return NOTHING_LOGGED
    rows = model.contexts.find(model.keys_of(o.topic, o.surface))
    signals = user.emitted.served(catalogue.careful_facets, rows, catalogue.ranked_slots)
    return Logged(acted, o.proposed, signals, user.emitted.confidences(), opens)


def _example(
    o: Observation,
    liked: bool,
    weight: float,
    feedback_count: int,
    learned: Learned,
    logged: Logged | None,
) -> Example:
    """Return the example for the population."""
    own = learned.own
    return Example(
        o.user, o.at_ms, o.topic, o.surface, o.item, liked, weight, feedback_count, learned.p,
        o.slots, own.bias, own.variance, own.shares, o.facets, learned.directed, logged,
    )  # fmt: skip
