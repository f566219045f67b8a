"""Control events into a file: whole, valid, and with names of the catalogue only."""

import re
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from dataflows.control.sending import Sent, send_consent, send_forget, send_pin
from dataflows.settings import Settings, load
from tacit.contract.catalogue import SHIPPED
from tacit.contract.events import Consent, Event, Forget, Pin, decode_event
from tacit.errors import ConfigurationError
from tests.support.replays import now_ms

Sending = Callable[[Settings], Sent]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Return settings with a file as the source."""
    return load({"source": str(tmp_path / "events.jsonl"), "region": "us", "embedded": True})


def events(settings: Settings) -> list[Event]:
    return [decode_event(line) for line in Path(str(settings.source)).read_bytes().splitlines()]


def test_a_consent_names_its_scopes(settings: Settings) -> None:
    """Without scopes, all; in the order of the contract."""
    send_consent(settings, "ada", granted=True)
    send_consent(settings, "ada", granted=False, scopes=["explore", "use"])
    found = [(event.granted, event.scope) for event in events(settings) if isinstance(event, Consent)]
    assert found == [(True, None), (False, ["use", "explore"])]


def test_a_pin_has_a_value_or_removes_the_pin(settings: Settings) -> None:
    """None removes it."""
    send_pin(settings, "ada", "length", "concise")
    send_pin(settings, "ada", "length", None)
    found = [(event.facet, event.value) for event in events(settings) if isinstance(event, Pin)]
    assert found == [("length", "concise"), ("length", None)]


def test_a_forget_may_name_facets(settings: Settings) -> None:
    """Each once."""
    send_forget(settings, "ada")
    send_forget(settings, "ada", ["length", "tone", "length"])
    assert [event.facets for event in events(settings) if isinstance(event, Forget)] == [None, ["length", "tone"]]


def test_an_event_has_an_id_the_time_and_the_region(settings: Settings) -> None:
    """The caller gets the event that was sent."""
    before_ms = now_ms()
    sent = [send_forget(settings, "ada"), send_forget(settings, "ada")]
    assert [each.event for each in sent] == events(settings)
    assert len({each.event.event_id for each in sent}) == 2
    assert all(before_ms <= each.event.at <= now_ms() and each.event.region == "us" for each in sent)


@pytest.mark.parametrize(
    ("send", "problem"),
    [
        (lambda used: send_pin(used, "ada", "lenght", "concise"), "facet: 'lenght' is not in the catalogue; allowed"),
        (lambda used: send_pin(used, "ada", "length", "long"), "value: 'long' is no value of length; allowed are conc"),
        (lambda used: send_forget(used, "ada", ["lenght"]), "facet: 'lenght' is not in the catalogue"),
        (lambda used: send_consent(used, "ada", granted=True, scopes=["all"]), "scope: 'all' is no scope; allowed are"),
    ],
)
def test_a_wrong_name_sends_nothing(settings: Settings, send: Sending, problem: str) -> None:
    """The error has the allowed names."""
    with pytest.raises(ConfigurationError, match=problem):
        send(settings)
    assert not Path(str(settings.source)).exists()


@pytest.mark.parametrize("user_id", ["", "a\nb", "a" * 129, "\udc80", "ada\x00"])
def test_a_wrong_id_sends_nothing_and_is_not_repeated(settings: Settings, user_id: str) -> None:
    """The rule, and never the id."""
    with pytest.raises(ConfigurationError, match=r"^user: ") as caught:
        send_forget(settings, user_id)
    assert not user_id or user_id not in str(caught.value)
    assert not Path(str(settings.source)).exists()


def test_a_source_is_required() -> None:
    """With what to name."""
    with pytest.raises(ConfigurationError, match="source: is required; name the workers' source"):
        send_forget(load({"embedded": True}), "ada")


def test_a_compressed_file_is_no_source(tmp_path: Path) -> None:
    """A line cannot be appended to it."""
    with pytest.raises(ConfigurationError, match=r"source: must be kafka:.* or the path of a \.jsonl file"):
        load({"source": str(tmp_path / "events.jsonl.gz"), "embedded": True})


def test_a_sent_event_shows_no_user(settings: Settings) -> None:
    """In a traceback or a log."""
    sent: Sent = send_forget(settings, "ada")
    assert not re.search(r"\bada\b", repr(sent))
    assert msgspec.json.decode(Path(str(settings.source)).read_bytes())["user_id"] == "ada"


def test_all_forms_of_an_id_are_one_user_where_the_catalogue_has_it_so(tmp_path: Path) -> None:
    """The event, and so the partition of a topic, is that of the assistant's events."""
    catalogue = tmp_path / "catalogue.toml"
    catalogue.write_text('identity = "casefold"\n' + SHIPPED.read_text(encoding="utf-8"), encoding="utf-8")
    settings = load({"source": str(tmp_path / "events.jsonl"), "embedded": True, "catalogue": str(catalogue)})
    sent = [send_forget(settings, user_id) for user_id in ("Zoë@x.org", "zoe\u0308@X.ORG ")]
    assert {each.event.user_id for each in sent} == {"zoë@x.org"}
