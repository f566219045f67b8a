"""Walk through the page in a real browser, against a real run: Kafka, a worker, Redis and the service."""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has no types
from playwright.sync_api import Browser, Page, expect

from dataflows.control.audit import verify_audit
from tests.support.browser import Theme, watched_page
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.threads import served_in_thread
from tests.tacit_service.page.deployment import Deployment, deployed

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]

PROJECT = Path(__file__).parents[3]
MAX_PICTURE = 150 * 1024
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 390, "height": 844}
USERS = ("ada", "mary", "hedy", "grace", "frances", "alan", "edsger", "barbara", "renée/%")
"""A user whom a test changes is its own: any test may be the first."""


@pytest.fixture(scope="module")
def deployment(kafka: Kafka, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    with deployed(kafka, tmp_path_factory.mktemp("page"), *USERS) as found:
        yield found


@contextmanager
def visiting(
    browser: Browser,
    deployment: Deployment,
    user_id: str,
    language: str | None = None,
    *,
    size: Any = DESKTOP,
    theme: Theme = "light",
    **options: Any,
) -> Iterator[Page]:
    """Yield the page of a user, opened by a link. No request leaves the origin, and the browser has no error."""
    with watched_page(browser, size, theme, **options) as (page, addresses):
        page.goto(deployment.link(user_id, language))
        page.wait_for_url("**/page")
        yield page
    assert [address for address in addresses if not address.startswith(f"{deployment.service.url}/page")] == []


def row(page: Page, title: str) -> Any:
    """Return the card of a facet."""
    return page.get_by_role("listitem").filter(has=page.get_by_role("heading", name=title, exact=True))


def reported(page: Page, text: str = "Done.") -> None:
    """Wait for the message on the outcome."""
    expect(page.get_by_role("status")).to_contain_text(text)


def choose(page: Page, card: Any, value: str) -> None:
    """Set the facet of a card to a value, and wait for the message."""
    card.get_by_text("I choose").click()
    card.get_by_role("radio", name=value, exact=True).check()
    card.get_by_role("button", name="Use this").click()
    reported(page)


def test_user_sees_value_reasons_and_words(browser: Browser, deployment: Deployment) -> None:
    """The page shows the same as an assistant gets."""
    with visiting(browser, deployment, "ada") as page:
        expect(page.get_by_role("heading", level=1)).to_have_text("How your assistant adapts to you")
        length = row(page, "Answer length")
        expect(length.locator(".value")).to_have_text("short")
        expect(length).to_contain_text("Because you liked")
        expect(length).to_contain_text("email: thorough")
        expect(page.locator(".words").first).to_have_text(deployment.choice("ada")["prompt"])
        expect(page.get_by_role("switch", checked=True)).to_have_count(3)
        expect(page.get_by_role("img", name=re.compile("Most turns are in these hours"))).to_be_visible()
        expect(page.get_by_text("health and money")).to_be_visible()
        expect(page.get_by_text(re.compile("Assistants can read what was learned until"))).to_be_visible()
        page.get_by_role("link", name="Why exactly? Answer length").click()
        expect(page.get_by_role("row", name="thorough")).to_contain_text("you disliked")
        page.get_by_role("link", name="Back to the page").click()
        page.get_by_text("Not in this conversation", exact=True).click()
        expect(page.get_by_text("write to your assistant")).to_be_visible()


def test_choice_holds_at_once_and_can_be_undone(browser: Browser, deployment: Deployment) -> None:
    with visiting(browser, deployment, "mary") as page:
        length = row(page, "Answer length")
        choose(page, length, "medium length")
        expect(length).to_contain_text("your choice")
        expect(page.get_by_role("heading", name="Answer length")).to_be_focused()
        assert deployment.choice("mary")["values"]["length"] == "balanced"
        page.get_by_role("button", name=re.compile("Undo You chose Answer length")).click()
        reported(page)
        expect(length.locator(".value")).to_have_text("short")
        expect(length).not_to_contain_text("your choice")
        assert deployment.choice("mary")["values"]["length"] == "concise"


def test_wrong_value_is_forgotten_and_replaced(browser: Browser, deployment: Deployment) -> None:
    with visiting(browser, deployment, "hedy") as page:
        found = row(page, "Format")
        found.get_by_text("Wrong").click()
        found.get_by_label("From now on always: tables").check()
        found.get_by_role("button", name="Correct it").click()
        reported(page)
        expect(found.locator(".value")).to_contain_text("tables")
        assert deployment.choice("hedy")["values"]["format"] == "table"
        found.get_by_role("button", name="Let it learn again").click()
        reported(page)
        expect(found).to_contain_text("Nothing was learned from you yet.")
        expect(page.get_by_text("You had this forgotten: Format.")).to_be_visible()
        assert deployment.choice("hedy")["values"]["format"] == "prose"


def test_one_facet_is_forgotten_and_the_others_stay(browser: Browser, deployment: Deployment) -> None:
    with visiting(browser, deployment, "grace") as page:
        found = row(page, "Answer length")
        found.get_by_text("Forget just this").click()
        expect(found).to_contain_text("It cannot be undone.")
        found.get_by_role("button", name="Forget it").click()
        reported(page)
        expect(found).to_contain_text("Nothing was learned from you yet.")
        expect(row(page, "Format")).to_contain_text("Learned from your feedback")


def test_switches_turn_off_and_on(browser: Browser, deployment: Deployment) -> None:
    """Learning has a second step, as it deletes; the others can be undone."""
    with visiting(browser, deployment, "frances") as page:
        page.get_by_role("switch", name="Use it in answers").click()
        reported(page)
        expect(page.get_by_role("switch", name="Use it in answers")).not_to_be_checked()
        assert deployment.choice("frances")["status"] == "opted_out"
        page.get_by_role("button", name="Undo You turned off: use in answers.").click()
        reported(page)
        expect(page.get_by_role("switch", name="Use it in answers")).to_be_checked()
        page.get_by_role("switch", name="Learn from my feedback").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Stop learning?")
        page.get_by_role("link", name="No, back to the page").click()
        page.get_by_role("switch", name="Learn from my feedback").click()
        page.get_by_role("button", name="Stop, and delete what was learned").click()
        reported(page)
        expect(page.get_by_role("switch", name="Learn from my feedback")).not_to_be_checked()
        expect(page.get_by_text("Nothing is tried out while your assistant does not learn.")).to_be_visible()
        expect(page.get_by_text("Assistants can read nothing else about you.")).to_be_visible()


def test_history_shows_changes_of_the_last_week(browser: Browser, deployment: Deployment) -> None:
    with visiting(browser, deployment, "alan", "de") as page:
        laenge = row(page, "Länge der Antworten")
        laenge.get_by_text("Ich entscheide").click()
        laenge.get_by_role("radio", name="ausführlich", exact=True).check()
        laenge.get_by_role("button", name="So machen").click()
        reported(page, "Erledigt.")
        expect(page.get_by_role("listitem").filter(has_text="„ausführlich“. Von Ihnen vorgegeben.")).to_be_visible()


def test_language_is_that_of_the_link_and_of_the_switch(browser: Browser, deployment: Deployment) -> None:
    """Without both, that of the browser."""
    with visiting(browser, deployment, "alan", "de") as page:
        expect(page.locator("html")).to_have_attribute("lang", "de")
        page.get_by_role("link", name="English").click()
        expect(page.locator("html")).to_have_attribute("lang", "en")
        page.reload()
        expect(page.locator("html")).to_have_attribute("lang", "en")
    with visiting(browser, deployment, "alan", locale="de-AT") as page:
        expect(page.locator("html")).to_have_attribute("lang", "de")


def test_link_works_from_the_page_of_an_assistant(browser: Browser, deployment: Deployment, tmp_path: Path) -> None:
    """On another site: the cookie is a strict one."""
    (tmp_path / "index.html").write_text(f'<a href="{deployment.link("alan")}">My page</a>')
    handler = partial(SimpleHTTPRequestHandler, directory=tmp_path)
    with served_in_thread(HTTPServer(("localhost", 0), handler)) as assistant, browser.new_context() as context:
        page = context.new_page()
        page.goto(f"http://localhost:{assistant.server_port}/")
        page.get_by_role("link").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("How your assistant adapts to you")


def test_everything_works_without_scripts(browser: Browser, deployment: Deployment) -> None:
    with visiting(browser, deployment, "renée/%", java_script_enabled=False) as page:
        choose(page, row(page, "Tone"), "friendly")
        expect(row(page, "Tone")).to_contain_text("your choice")
        page.get_by_role("switch", name="Try things out").click()
        reported(page)
        expect(page.get_by_role("switch", name="Try things out")).not_to_be_checked()
        assert deployment.choice("renée/%")["values"]["tone"] == "friendly"


def test_keyboard_alone_is_enough(browser: Browser, deployment: Deployment) -> None:
    with visiting(browser, deployment, "alan", "en") as page:
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        _tab_to(page, "Try things out")
        page.keyboard.press("Space")
        reported(page)
        expect(page.get_by_role("switch", name="Try things out")).not_to_be_checked()
        expect(page.get_by_role("heading", name="Try things out")).to_be_focused()


def _tab_to(page: Page, name: str) -> None:
    switch = page.get_by_role("switch", name=name)
    for _ in range(20):
        page.keyboard.press("Tab")
        if switch.evaluate("element => element === document.activeElement"):
            return
    raise AssertionError(f"no way to {name} by the keyboard")


def test_data_can_be_downloaded(browser: Browser, deployment: Deployment) -> None:
    with visiting(browser, deployment, "edsger") as page:
        with page.expect_download() as json_file:
            page.get_by_role("link", name="Download as JSON").click()
        assert json.loads(json_file.value.path().read_bytes())["user"].startswith("k1.")
        assert json_file.value.suggested_filename == "my-data.json"
        with page.expect_download() as html_file:
            page.get_by_role("link", name="Download as a page").click()
        assert "Your data in Tacit" in html_file.value.path().read_text()


def test_deletion_has_two_steps_and_a_receipt_with_days(browser: Browser, deployment: Deployment) -> None:
    with visiting(browser, deployment, "edsger") as page:
        page.get_by_role("link", name="Delete everything").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Delete everything?")
        assert deployment.choice("edsger")["values"]["length"] == "concise"
        page.get_by_role("button", name="Delete everything").click()
        page.wait_for_url("**/page/receipt/r-*")
        expect(page.get_by_role("heading", level=1)).to_have_text("Receipt of the deletion")
        assert deployment.choice("edsger")["values"]["length"] == "balanced"
        for place, until in (
            ("What assistants can read", "gone now"),
            ("Memory of the learning program, and its safety copies", "by "),
            ("Log of your feedback", "by "),
            ("Backups of the operator", "not known to this service"),
        ):
            expect(page.get_by_role("row", name=place)).to_contain_text(until)
        number = page.locator("code").inner_text()
        address = page.url
        page.get_by_role("link", name="Back to the page").click()
        expect(page.get_by_text(re.compile("Assistants can read nothing about you"))).to_be_visible()
    assert number in (deployment.folder / "receipts.jsonl").read_text()
    with visiting(browser, deployment, "ada") as page:
        page.on("console", lambda _: None)
        assert page.context.request.get(address).status == 404  # another user's receipt


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize(("language", "size"), [("en", DESKTOP), ("de", PHONE)], ids=["desktop", "phone"])
def test_no_rule_of_accessibility_is_violated(
    browser: Browser, deployment: Deployment, language: str, size: Any, theme: Theme
) -> None:
    """Axe runs a script, so the policy of the page is off. Nothing scrolls sideways, and targets have 44 pixels."""
    with visiting(browser, deployment, "barbara", language, size=size, theme=theme, bypass_csp=True) as page:
        page.locator("details").evaluate_all("all => all.forEach(each => { each.name = ''; each.open = true; })")
        for path in ("/page", "/page/why/length", "/page/delete", "/page/stop-learning"):
            if path != "/page":
                page.goto(deployment.service.url + path)
            found = Axe().run(page).response["violations"]
            assert [(each["id"], [node["target"] for node in each["nodes"]]) for each in found] == []
            assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
            assert _small_targets(page) == []


def _small_targets(page: Page) -> list[str]:
    return list(
        page.evaluate(
            """() => [...document.querySelectorAll("a:not(.skip), button, summary, label.option")]
            .filter(each => each.getClientRects().length && each.getBoundingClientRect().height < 44)
            .map(each => each.outerHTML)"""
        )
    )


@pytest.mark.parametrize(
    ("name", "language", "size", "theme"),
    [
        ("desktop", "en", {"width": 1100, "height": 1180}, "light"),
        ("phone", "de", {"width": 390, "height": 1500}, "dark"),
    ],
    ids=["desktop", "phone"],
)
def test_guide_has_a_picture(
    browser: Browser, deployment: Deployment, tmp_path: Path, name: str, language: str, size: Any, theme: Theme
) -> None:
    """With TACIT_PICTURES=1 it is made again."""
    kept = PROJECT / "docs" / "assets" / f"page-{name}.png"
    made = tmp_path / kept.name
    with visiting(browser, deployment, "barbara", language, size=size, theme=theme) as page:
        page.screenshot(path=made)
    if os.environ.get("TACIT_PICTURES") == "1":
        kept.write_bytes(made.read_bytes())
    assert max(kept.stat().st_size, made.stat().st_size) <= MAX_PICTURE
    assert f"../assets/{kept.name}" in (PROJECT / "docs" / "guides" / "page.md").read_text()


def test_actions_are_audited_as_the_users_own(browser: Browser, deployment: Deployment) -> None:
    audit = deployment.folder / "audit.jsonl"
    with visiting(browser, deployment, "barbara") as page:
        choose(page, row(page, "Tone"), "formal")
    lines = deployment.service.audit()
    assert not verify_audit([str(audit)]).problems
    assert "pin" in {line["action"] for line in lines}
    assert {line["by"] for line in lines} == {"user"}
    shown = audit.read_text() + deployment.service.run.output
    assert [user_id for user_id in USERS if re.search(rf"(?<!\w){re.escape(user_id)}(?!\w)", shown)] == []
