"""What a person does in the browser, step by step, by the words that stand on the pages."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import Browser, Locator, Page, expect, sync_playwright

import outside
from e2e.sink import SECRET, Sink

EMAIL, PASSWORD = "ada@example.org", "correct horse battery"
PATIENCE_MS = 15_000


@contextmanager
def browser() -> Iterator[Browser]:
    """A real Chromium, and nothing of it afterwards."""
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path=outside.path_of("chromium"), args=["--no-sandbox"]
        )
        try:
            yield chromium
        finally:
            chromium.close()


class Person:
    """Somebody at one open page; complaints of the page's own scripts are kept."""

    def __init__(self, page: Page, url: str) -> None:
        self.page = page
        self.url = url
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE_MS)
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._console)

    def _console(self, message: Any) -> None:
        # A page that is left closes its event stream, which Chromium reports as a network error.
        if message.type == "error" and "net::ERR_" not in message.text:
            self.complaints.append(message.text)

    def set_up(self, link: str) -> None:
        """Follow the one-time link and make the account."""
        self.page.goto(link)
        self.page.get_by_label("E-mail").fill(EMAIL)
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.get_by_role("button", name="Make the account").click()
        expect(self.page.get_by_role("heading", name="Nothing is watched yet.")).to_be_visible()

    def add_webhook(self, sink: Sink) -> None:
        """Add a channel, send a test through it, and route everything to it."""
        self.page.goto(f"{self.url}/channels/add/webhook")
        self.page.get_by_label("Name", exact=True).fill("Hook")
        self.page.locator("[name='settings.url']").fill(sink.url)
        self.page.locator("[name='settings.secret']").fill(SECRET)
        self.page.get_by_role("button", name="Save").click()
        self.page.get_by_role("button", name="Send a test to Hook").click()
        expect(self.page.get_by_text("The test message was delivered")).to_be_visible()
        self.page.get_by_role("link", name="Add a route").click()
        self.page.get_by_label("Name", exact=True).fill("Everything")
        self.page.get_by_label(re.compile("^Hook")).check()
        self.page.get_by_role("button", name="Save").click()
        expect(self.page.get_by_role("rowheader", name="Everything")).to_be_visible()

    def add_monitor(self, pasted: str, *, name: str) -> None:
        """Paste into the one box, see the first result, choose a short interval, save."""
        self.page.goto(self.url)
        box = self.page.get_by_label(re.compile("What should stay alive|^Paste a URL")).last
        box.fill(pasted)
        box.press("Enter")
        trial = self.page.get_by_label("What the trial saw")
        expect(trial.get_by_text("tried just now")).to_be_visible()
        expect(trial.locator(".state").first).to_have_class(re.compile(r"\bup\b"))
        self.page.get_by_text("Details: what to check").click()
        self.page.get_by_label("Name", exact=True).fill(name)
        self.page.get_by_label("Every", exact=True).fill("2s")
        self.page.get_by_label("Timeout", exact=True).fill("2s")
        self.page.get_by_role("button", name="Save and watch it").click()
        expect(self.page.get_by_role("heading", name=name, exact=True)).to_be_visible()

    def open_overview(self) -> None:
        """Open the overview and put a mark on it that a reload would wipe off."""
        self.page.goto(self.url)
        self.page.evaluate("window.lifesignMark = 'still the same page'")

    def has_stayed(self) -> bool:
        """Whether the page is the one that was opened, not a reloaded one."""
        return bool(self.page.evaluate("window.lifesignMark === 'still the same page'"))

    def row(self, name: str) -> Locator:
        """The monitor's row on the overview."""
        link = self.page.get_by_role("link", name=name, exact=True)
        return self.page.locator("tr[data-monitor]").filter(has=link)

    def sees(self, name: str, state: str) -> None:
        """The row says so, within patience and without a reload."""
        expect(self.row(name)).to_have_attribute("data-row", state)

    def ask(self, path: str) -> Any:
        """The API's answer, asked with the browser's session."""
        answer = self.page.request.get(f"{self.url}{path}")
        assert answer.ok, f"{path}: {answer.status} {answer.text()}"
        return answer.json()
