"""The pages in a real browser: accessible, within the screen, live, and usable by keyboard alone."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page, expect

from lifesign.core.model import State
from web.documents import OPEN_PAGES, PAGES
from web.fake_kinds import SESSION
from web.fakes import FakeServices, emptied
from web.scene import REFUSED, monitor
from web.serving import served

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
THEMES = ("light", "dark")


def opened(
    browser: Browser, base: str, *, theme="light", width=1360, signed_in=True, **more
) -> BrowserContext:
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=theme,
        reduced_motion="reduce",
        **more,
    )
    context.set_default_timeout(10_000)
    if signed_in:
        context.add_cookies([{"name": "lifesign_session", "value": SESSION, "url": base}])
    return context


def settled(page: Page, address: str) -> Page:
    """The page, once the bars, the trial and the chart that it loads by itself are there."""
    page.goto(address)
    page.wait_for_function("document.fonts.status === 'loaded'")
    if "target=https" in address:
        page.locator("#trial .rung.ok").first.wait_for()
    if page.locator(".monitors tr").count():
        page.locator(".monitors .bars").first.wait_for(state="attached")
    return page


@pytest.fixture
def errors() -> list[str]:
    return []


def listening(page: Page, errors: list[str]) -> Page:
    """The page, with everything that it complains about kept; a broken policy is one of these."""
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on(
        "console",
        lambda said: errors.append(said.text) if said.type in ("error", "warning") else None,
    )
    return page


@pytest.mark.parametrize("name", [*PAGES, *OPEN_PAGES])
def test_axe_finds_nothing(browser, fleet, name):
    base, _, _ = fleet
    path = (PAGES | OPEN_PAGES)[name]
    context = opened(browser, base, signed_in=name in PAGES)
    page = settled(context.new_page(), base + path)
    for theme in THEMES:
        page.emulate_media(color_scheme=theme)
        found = Axe().run(page)

        assert found.violations_count == 0, f"{theme}: {found.generate_report()}"
    context.close()


@pytest.mark.parametrize("theme", THEMES)
def test_axe_finds_nothing_on_a_phone_and_in_an_empty_house(browser, theme):
    with served(emptied(FakeServices())) as (base, _):
        context = opened(browser, base, theme=theme, width=390)
        for path in ("/", "/alerts", "/channels", "/settings"):
            page = context.new_page()
            page.goto(base + path)
            found = Axe().run(page)

            assert found.violations_count == 0, f"{path}: {found.generate_report()}"
        context.close()


@pytest.mark.parametrize("width", [320, 768])
def test_nothing_scrolls_sideways(browser, fleet, width):
    base, _, _ = fleet
    too_wide = []
    context = opened(browser, base, width=width)
    page = context.new_page()
    for name, path in PAGES.items():
        settled(page, base + path)
        if page.evaluate("document.documentElement.scrollWidth") > width:
            too_wide.append(name)
    context.close()

    assert too_wide == []


def test_no_page_breaks_its_own_policy(browser, fleet, errors):
    base, _, _ = fleet
    context = opened(browser, base)
    page = listening(context.new_page(), errors)
    for name, path in PAGES.items():
        if name != "not found":
            settled(page, base + path)
    context.close()

    assert errors == []


def test_the_chart_is_drawn_and_read_by_keyboard(browser, fleet, errors):
    base, _, _ = fleet
    context = opened(browser, base)
    page = listening(settled(context.new_page(), base + "/monitors/billing-tools"), errors)
    page.locator(".chart canvas").wait_for()

    page.locator(".chart").focus()
    page.keyboard.press("ArrowLeft")

    expect(page.locator("#times .readout")).to_contain_text("15 of 15 failed")
    context.close()
    assert errors == []


def test_percentiles_of_phases_are_lines_with_the_usual_time(browser, fleet, errors):
    base, _, _ = fleet
    context = opened(browser, base)
    page = listening(settled(context.new_page(), base + "/monitors/github"), errors)
    page.get_by_role("link", name="p95", exact=True).click()
    page.locator(".chart canvas").wait_for()

    page.locator(".chart").focus()
    page.keyboard.press("Home")

    expect(page.locator("#times .readout")).to_contain_text("initialize")
    expect(page.locator(".legend")).to_contain_text("usual p95")
    expect(page.locator("#times")).to_contain_text("Usual is a p95 of 120 ms")
    context.close()
    assert errors == []


def test_what_somebody_opened_stays_open_when_news_arrive(browser):
    services = FakeServices()
    with served(services) as (base, stream):
        context = opened(browser, base)
        page = settled(context.new_page(), base + "/monitors/billing-tools")
        expect(page.locator("#live")).to_have_text("live")
        page.locator("#evidence summary").click()

        changed = monitor("billing-tools", State.DOWN, name="Renamed", kind="mcp", failure=REFUSED)
        services.monitors.rows[0] = changed
        stream.say("monitor.state", id=7, type="monitor.state", monitor_id="id-billing-tools")

        expect(page.locator("h1")).to_have_text("Renamed")
        expect(page.locator("#evidence pre")).to_be_visible()
        context.close()


def test_drift_is_accepted_without_scripts(browser):
    with served(FakeServices()) as (base, _):
        context = opened(browser, base, java_script_enabled=False)
        page = context.new_page()
        page.goto(base + "/monitors/billing-tools")
        page.get_by_role("link", name="Compare").click()
        page.get_by_role("button", name="Accept and pin").click()
        expect(page.locator("#main .notice")).to_contain_text("Accepted and pinned.")
        page.get_by_role("button", name="Unpin").click()
        expect(page.locator("#main .notice")).to_contain_text("Unpinned.")
        page.get_by_text("Announce a release").click()
        page.get_by_label("Note").fill("4.2")
        page.get_by_label("Until (UTC)").fill("2026-11-20T16:00")
        page.get_by_role("button", name="Announce").click()
        expect(page.locator(".releases")).to_contain_text("4.2")
        context.close()


def test_the_days_are_walked_with_arrow_keys(browser, fleet):
    base, _, _ = fleet
    context = opened(browser, base)
    page = settled(context.new_page(), base + "/monitors/billing-tools")

    page.locator("[data-day][tabindex='0']").focus()
    page.keyboard.press("ArrowLeft")

    expect(page.locator(".daysay")).to_contain_text("19 November 2026")
    assert page.locator("[data-day][tabindex='0']").count() == 1
    context.close()


def test_the_main_things_are_done_by_keyboard_alone(browser):
    with served(FakeServices()) as (base, _):
        context = opened(browser, base)
        page = settled(context.new_page(), base + "/")

        page.keyboard.press("Tab")
        expect(page.locator(".skiplink")).to_be_focused()
        page.keyboard.press("j")
        page.keyboard.press("a")
        expect(page.locator("#main .notice")).to_contain_text("Acknowledged.")
        expect(page.locator("#verdict h1")).to_contain_text("Nothing new needs you")
        page.keyboard.press("/")
        expect(page.locator("#filter")).to_be_focused()
        page.keyboard.type("state:down")
        expect(page.locator("tr[data-monitor]")).to_have_count(1)
        page.keyboard.press("Control+k")
        page.keyboard.type("https://refused.example.com/")
        page.keyboard.press("Enter")
        expect(page.locator("#trial .rung.fail")).to_contain_text("refused")
        page.get_by_role("button", name="Save and watch it").press("Enter")
        expect(page).to_have_url(re.compile(r"/monitors/added\?said=added"))
        context.close()


def test_single_keys_can_be_turned_off(browser, fleet):
    base, _, _ = fleet
    context = opened(browser, base)
    context.add_cookies([{"name": "lifesign_keys", "value": "off", "url": base}])
    page = settled(context.new_page(), base + "/")

    page.keyboard.press("/")
    expect(page.locator("#filter")).not_to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.locator("#box")).to_be_focused()
    context.close()


def test_a_row_changes_in_place_when_news_arrives(browser):
    services = FakeServices()
    with served(services) as (base, stream):
        context = opened(browser, base)
        page = settled(context.new_page(), base + "/")
        expect(page.locator("#live")).to_have_text("live")
        page.locator("#m-id-api .name").hover()
        before = page.locator("tr[data-monitor]").evaluate_all("rows => rows.map(row => row.id)")

        services.monitors.rows[3] = monitor("api", State.DOWN, group="Production")
        stream.say("monitor.state", id=7, type="monitor.state", monitor_id="id-api")

        expect(page.locator("#m-id-api .state")).to_have_text("Down")
        after = page.locator("tr[data-monitor]").evaluate_all("rows => rows.map(row => row.id)")
        assert before == after
        expect(page.locator("#m-id-api .bars")).to_be_attached()
        context.close()


def test_the_page_says_when_it_is_no_longer_live(browser):
    with served(FakeServices()) as (base, stream):
        context = opened(browser, base)
        page = settled(context.new_page(), base + "/")
        expect(page.locator("#live")).to_have_text("live")

        stream.end()
        context.set_offline(True)

        expect(page.locator("#live")).to_have_text("reconnecting")
        context.close()


def test_the_theme_is_kept(browser, fleet):
    base, _, _ = fleet
    context = opened(browser, base)
    page = settled(context.new_page(), base + "/")

    page.locator("[data-theme-button]").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    context.close()


def test_everything_works_without_scripts(browser):
    with served(FakeServices()) as (base, _):
        context = opened(browser, base, java_script_enabled=False)
        page = context.new_page()
        page.goto(base + "/")
        page.get_by_role("button", name="Acknowledge billing-tools").click()
        expect(page.locator("#main .notice")).to_contain_text("Acknowledged.")
        page.goto(base + "/add?target=https://shop.example.com/")
        page.get_by_role("button", name="Try it").click()
        expect(page.locator("#trial .rung.ok")).to_have_count(6)
        page.get_by_role("button", name="Save and watch it").click()
        expect(page).to_have_url(re.compile(r"/monitors/added\?said=added"))
        page.goto(base + "/monitors/api")
        page.get_by_role("button", name="Pause").click()
        expect(page.locator(".head .state")).to_contain_text("Paused")
        context.close()


def test_removing_asks_first(browser):
    services = FakeServices()
    with served(services) as (base, _):
        context = opened(browser, base)
        page = settled(context.new_page(), base + "/monitors/api")

        page.get_by_role("link", name="Remove").click()
        expect(page.get_by_role("button", name="Keep it")).to_be_focused()
        assert len(services.monitors.rows) == 11
        page.locator("#dialog-remove").get_by_role("button", name="Remove").click()

        expect(page.locator("#main .notice")).to_contain_text("Removed")
        assert len(services.monitors.rows) == 10
        context.close()
