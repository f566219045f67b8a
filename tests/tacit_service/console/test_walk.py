"""Walk through the console in a real browser."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]  # has no types
from playwright.sync_api import Browser, Page, expect

from tests.support.browser import Theme, watched_page
from tests.support.kafka_broker import KAFKA_TEST
from tests.tacit_service.console.deployment import USER, Deployment

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]

DESKTOP, PHONE = {"width": 1440, "height": 900}, {"width": 390, "height": 844}


@contextmanager
def visiting(browser: Browser, deployment: Deployment, theme: Theme, size: Any, **options: Any) -> Iterator[Page]:
    """Yield the login of the console. No request leaves the origin, and the browser has no error."""
    with watched_page(browser, size, theme, **options) as (page, addresses):
        page.goto(f"{deployment.address}/console")
        yield page
    assert [address for address in addresses if not address.startswith(deployment.address)] == []
    assert [address for address in addresses if USER in address or deployment.keys["operator"] in address] == []


def log_in(page: Page, deployment: Deployment) -> None:
    """Log in, and wait for the charts."""
    page.get_by_label("Key").fill(deployment.keys["operator"])
    page.get_by_role("button", name="Log in").click()
    expect(chart(page, "Log loss").get_by_role("img")).to_be_visible()


def chart(page: Page, title: str) -> Any:
    """Return the card of a chart."""
    return page.get_by_role("figure").filter(has=page.get_by_role("heading", name=title))


def test_operator_sees_figures_and_a_user(browser: Browser, deployment: Deployment) -> None:
    with visiting(browser, deployment, "light", DESKTOP) as page:
        log_in(page, deployment)
        expect(page.get_by_text("All is well")).to_be_visible()
        loss = chart(page, "Log loss")
        expect(loss.get_by_role("listitem")).to_contain_text(["constant", "deployed", "challenger"])
        loss.get_by_text("Values as a table").click()
        expect(loss.get_by_role("columnheader", name="deployed")).to_be_visible()
        expect(chart(page, "Parity")).to_have_count(0)
        expect(chart(page, "Time to answer a choice")).to_contain_text("No choices were asked for")
        with page.expect_response("**/console/figures?span=hour") as answer:
            pass
        assert answer.value.ok
        expect(loss.get_by_role("columnheader", name="deployed")).to_be_visible()
        page.get_by_role("link", name="Users").click()
        page.get_by_label("User id").fill(USER)
        page.get_by_role("button", name="Show").click()
        expect(page.get_by_role("heading", name="User k1.")).to_be_visible()
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_role("heading", name="Log in")).to_be_visible()


@pytest.mark.parametrize(("theme", "size"), [("light", DESKTOP), ("dark", PHONE)])
def test_console_is_accessible(browser: Browser, deployment: Deployment, theme: Theme, size: Any) -> None:
    """Axe runs a script, so the policy of the page is off. Nothing but tables scrolls sideways."""
    with visiting(browser, deployment, theme, size, bypass_csp=True) as page:
        assert violations(page) == []
        log_in(page, deployment)
        chart(page, "Log loss").get_by_text("Values as a table").click()
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]
        page.goto(f"{deployment.address}/console/user")
        page.get_by_label("User id").fill(USER)
        page.get_by_role("button", name="Show").click()
        page.locator("details").evaluate_all("all => all.forEach(each => { each.open = true; })")
        assert violations(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") == size["width"]


def violations(page: Page) -> list[Any]:
    """Return rule and elements of each violation."""
    found = Axe().run(page).response["violations"]
    return [(each["id"], [node["target"] for node in each["nodes"]]) for each in found]
