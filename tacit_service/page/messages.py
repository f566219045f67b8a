"""Messages on the outcome of an action, and texts of further pages."""

from collections.abc import Mapping
from typing import NamedTuple

from tacit_service.page.language import Language


class Confirmation(NamedTuple):
    """Page before a step that cannot be undone."""

    heading: str
    points: tuple[str, ...]
    button: str


class Note(NamedTuple):
    """Page with a message."""

    heading: str
    text: str


def outcome(name: str, language: Language) -> str:
    """Return the message on an outcome; empty for an unknown name."""
    _ = language.gettext
    texts: Mapping[str, str] = {
        "done": _("Done. It holds from the next answer on."),
        "late": _(
            "Your decision is noted, but its effect is not visible yet. Load this page again in a moment to see it."
        ),
        "failed": _("It is not certain that your decision was noted. Please try it again."),
        "gone": _("This can no longer be undone."),
        "invalid": _("This choice does not exist. Nothing was changed."),
        "busy": _("That was fast. Please wait a second, then try it again."),
    }
    return texts.get(name, "")


def stop_learning(language: Language) -> Confirmation:
    """Return the page before learning stops."""
    _ = language.gettext
    return Confirmation(
        _("Stop learning?"),
        (
            _("Your assistant stops to learn from your feedback, at once."),
            _("What was learned so far is deleted. This cannot be undone."),
            _("Your own choices stay, and so does the use of them in answers."),
            _("You can turn learning on again at any time; it then starts from nothing."),
        ),
        _("Stop, and delete what was learned"),
    )


def delete_everything(language: Language) -> Confirmation:
    """Return the page before all is deleted."""
    _ = language.gettext
    return Confirmation(
        _("Delete everything?"),
        (
            _("All that was learned about you is deleted, at once: preferences, topics, hours and sessions."),
            _("Your own choices are deleted, too, and each permission that you gave. A “no” of yours stays."),
            _("Your next answers are as for a new user. This cannot be undone."),
            _("The time of the deletion is kept, so that older data about you cannot come back."),
            _("You get a receipt. It has the days by which each copy is gone."),
        ),
        _("Delete everything"),
    )


def session_over(language: Language) -> Note:
    """Return the page without a valid link or session."""
    _ = language.gettext
    return Note(
        _("This link is no longer valid"),
        _("For your safety a link works for a few minutes only. Ask your assistant for a new one."),
    )


def unavailable(language: Language) -> Note:
    """Return the page while the data cannot be read."""
    _ = language.gettext
    return Note(
        _("Your page cannot be shown just now"),
        _("What is held about you cannot be read at the moment. Nothing is lost. Please try again in a minute."),
    )


def too_fast(language: Language) -> Note:
    """Return the page after too many requests."""
    _ = language.gettext
    return Note(_("Please wait a second"), _("Your page was asked for too often. Load it again in a moment."))


def not_permitted(language: Language) -> Note:
    """Return the page after a request that another page may have made."""
    _ = language.gettext
    return Note(
        _("This did not come from your page"),
        _("The request was not carried out. Open your page again, and repeat your decision there."),
    )


def not_offered(language: Language) -> Note:
    """Return the page in place of a part that needs a setting."""
    _ = language.gettext
    return Note(
        _("This is not set up here"),
        _("The operator of your assistant can send you your data."),
    )


def deleted(language: Language) -> Note:
    """Return the page after a deletion without a receipt."""
    _ = language.gettext
    return Note(
        _("Everything is deleted"),
        _("Receipts are not set up here. The operator of your assistant can give you the days by which copies go."),
    )


def receipt_pending(language: Language) -> Note:
    """Return the page while a receipt is being made."""
    _ = language.gettext
    return Note(
        _("Your receipt is being made"),
        _("The deletion is under way. This page loads itself again, and shows the receipt when it is ready."),
    )


def opening(language: Language) -> Note:
    """Return the page between a link and the main page."""
    _ = language.gettext
    return Note(_("One moment"), _("Your page opens by itself."))


def nothing_held(language: Language) -> Note:
    """Return the page in place of a download or an explanation without content."""
    _ = language.gettext
    return Note(
        _("Nothing is held here"),
        _("Nothing is held about you, or it was noted a moment ago. In the second case, try again in a few minutes."),
    )


def not_found(language: Language) -> Note:
    """Return the page for an address that is not in use, or is about another user."""
    _ = language.gettext
    return Note(
        _("There is nothing here"),
        _("Check the address. A receipt is shown only to the user that it is about."),
    )
