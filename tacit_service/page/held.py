"""Further data that is held: recent activity; and data that is never kept."""

from collections.abc import Iterator
from dataclasses import dataclass

from state.user.absence import RECLAIM_GRACE_MS
from state.user.rules import IDLE_MS
from tacit.contract.activity import DAY_MS
from tacit.contract.signals import Profile
from tacit_service.page.chart import Bar, bars, busiest
from tacit_service.page.facts import Facts

_KEPT_DAYS = (IDLE_MS + RECLAIM_GRACE_MS) // DAY_MS
"""Days without an event after which a state folder has no beliefs about a user."""


@dataclass(frozen=True, slots=True)
class Topic:
    """Topic with a share of the turns."""

    label: str
    share: float
    text: str


@dataclass(frozen=True, slots=True)
class Held:
    """Recent activity."""

    topics: tuple[Topic, ...]
    turns: str
    session: str
    bars: tuple[Bar, ...]
    hours: tuple[tuple[str, str], ...]
    """Hour and number of turns, of the hours with turns."""
    busiest: str
    """The chart in words."""


def held(facts: Facts) -> Held | None:
    """Return recent activity; None without a profile."""
    profile = facts.adaptation.profile
    if profile is None:
        return None
    language = facts.language
    return Held(
        topics=tuple(Topic(facts.names.topic(name), share, language.percent(share)) for name, share in profile.topics),
        turns=_turns(facts, profile),
        session=_session(facts, profile),
        bars=bars(profile.hours),
        hours=tuple(
            (_hour(hour), language.number(round(count, 1))) for hour, count in enumerate(profile.hours) if count
        ),
        busiest=_busiest(facts, profile),
    )


def never_kept(facts: Facts) -> Iterator[str]:
    """Yield sentences on data that is never kept."""
    _ = facts.language.gettext
    yield _("The text of your questions and of the answers.")
    yield _("Your name and your address: you are held under a number that only this service can assign to you.")
    if sensitive := [facts.names.topic(name) for name in facts.catalogue.topics.sensitive]:
        topics = facts.language.all_of(sensitive)
        yield _("Which of your conversations were about %(topics)s; nothing is learned from them.", topics=topics)


def until(facts: Facts) -> Iterator[str]:
    """Yield sentences on the time for which data is held."""
    _ = facts.language.gettext
    if facts.expires_at_ms is not None:
        yield _(
            "Assistants can read what was learned until %(day)s. "
            "Each time you use the assistant, the time starts again.",
            day=facts.day(facts.expires_at_ms),
        )
    yield _(
        "The learning program keeps what was learned for up to %(days)s days after you last used the assistant.",
        days=facts.language.number(_KEPT_DAYS),
    )
    yield _("Your own choices, and each “no”, hold until you change them.")


def _turns(facts: Facts, profile: Profile) -> str:
    activity = profile.activity
    answers = facts.language.ngettext("%(number)s answer", "%(number)s answers", activity.week)
    return facts.language.gettext(
        "%(answers)s in the last 7 days; of these, %(day)s in the last 24 hours and %(hour)s in the last hour.",
        answers=answers,
        day=facts.language.number(activity.day),
        hour=facts.language.number(activity.hour),
    )


def _session(facts: Facts, profile: Profile) -> str:
    session, language = profile.session, facts.language
    answers = language.ngettext("%(number)s answer", "%(number)s answers", session.turns)
    time = facts.moment(session.started_at)
    if not session.negative_share:
        return language.gettext("The newest session began on %(time)s: %(answers)s.", time=time, answers=answers)
    return language.gettext(
        "The newest session began on %(time)s: %(answers)s, of which you disliked %(share)s.",
        time=time,
        answers=answers,
        share=language.percent(session.negative_share),
    )


def _busiest(facts: Facts, profile: Profile) -> str:
    hours = busiest(profile.hours)
    if not hours:
        return facts.language.gettext("No turns are held.")
    return facts.language.gettext(
        "Most turns are in these hours (UTC): %(hours)s.", hours=facts.language.all_of(_hour(hour) for hour in hours)
    )


def _hour(hour: int) -> str:
    return f"{hour}–{hour + 1}"
