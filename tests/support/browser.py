"""Chromium for tests: Debian's package, driven by Playwright.

`python -m tests.support.browser install` installs the package, if root runs it on Debian.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

PACKAGE = "chromium"
WITHIN_MS = 30_000
"""Time limit of an expectation, that of a step in Playwright: a busy machine is no fault."""
HOW_TO_INSTALL = f"install Debian's package {PACKAGE}, as `python -m tests.support.browser install` does for root"

FLAGS = (
    "--headless",
    "--no-sandbox",  # root runs tests in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)

Theme = Literal["light", "dark"]


class BrowserUnavailableError(Exception):
    """Chromium is missing; the message states the remedy."""


def chromium() -> str:
    """Return the path of Chromium.

    Raises:
        BrowserUnavailableError: it is missing.
    """
    found = shutil.which(PACKAGE, path=f"{os.environ.get('PATH', '')}:/usr/bin")
    if found is None:
        raise BrowserUnavailableError(f"{PACKAGE} is not on the path: {HOW_TO_INSTALL}")
    return found


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield a running browser, or skip (fail under TACIT_REQUIRE_KAFKA=1)."""
    try:
        path = chromium()
    except BrowserUnavailableError as error:
        if os.environ.get("TACIT_REQUIRE_KAFKA") == "1":
            pytest.fail(f"TACIT_REQUIRE_KAFKA=1, but {error}")
        pytest.skip(f"needs Chromium: {error}")
    expect.set_options(timeout=WITHIN_MS)
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=path, args=list(FLAGS))
        yield running
        running.close()


@contextmanager
def watched_page(browser: Browser, size: Any, theme: Theme, **options: Any) -> Iterator[tuple[Page, list[str]]]:
    """Yield an empty page, and the addresses that it has asked for so far; afterwards, it must have had no error."""
    context = browser.new_context(viewport=size, color_scheme=theme, reduced_motion="reduce", **options)
    page = context.new_page()
    addresses: list[str] = []
    errors: list[str] = []
    page.on("request", lambda request: addresses.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    yield page, addresses
    context.close()
    assert errors == []


def install() -> None:
    """Install Debian's package.

    Raises:
        BrowserUnavailableError: the package cannot be installed.
    """
    if shutil.which(PACKAGE):
        return
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise BrowserUnavailableError(f"only root on Debian can install it: {HOW_TO_INSTALL}")
    get = ("apt-get", "install", "-qq", "--yes", "--no-install-recommends", PACKAGE)
    if not _run(*get) and not (_run("apt-get", "update", "-qq") and _run(*get)):
        raise BrowserUnavailableError(f"`{' '.join(get)}` failed; its output is above")


def _run(*command: str) -> bool:
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    return subprocess.run(command, stdout=sys.stderr, env=environment, check=False).returncode == 0


def main() -> None:
    """Install Chromium."""
    if sys.argv[1:] != ["install"]:
        raise SystemExit("usage: python -m tests.support.browser install")
    try:
        install()
    except BrowserUnavailableError as error:
        raise SystemExit(str(error)) from None
    sys.stdout.write(f"Chromium is {chromium()}\n")


if __name__ == "__main__":
    main()
