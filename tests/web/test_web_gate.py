"""Who gets in, from where, and with which headers everything is answered."""

import re

import pytest

from web.documents import OPEN_PAGES, PAGES, parse
from web.fake_kinds import PASSWORD, READER, SESSION

EVENT_ATTRIBUTE = re.compile(r"^on[a-z]+$|^hx-on|^hx-vals$|^style$")


@pytest.mark.parametrize("path", [*PAGES.values(), *OPEN_PAGES.values()])
async def test_no_page_needs_an_inline_script_or_style(client, stranger, path):
    answer = await (stranger if path in OPEN_PAGES.values() else client).get(path)

    page = parse(answer.text)
    policy = answer.headers["content-security-policy"]
    assert "script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert not page.all("style")
    assert all("src" in script for script in page.all("script"))
    for tag, attributes in page.elements:
        assert not [name for name in attributes if EVENT_ATTRIBUTE.match(name)], (tag, attributes)
        assert "javascript:" not in str(attributes.values())


async def test_htmx_adds_no_style_and_no_extension(client):
    page = parse((await client.get("/")).text)

    (config,) = page.all("meta", name="htmx-config")
    assert '"includeIndicatorCSS":false' in config["content"]


@pytest.mark.parametrize("path", PAGES.values())
async def test_strangers_are_asked_to_sign_in(stranger, path):
    answer = await stranger.get(path)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith("/login")


async def test_a_fragment_sends_the_whole_tab_to_the_sign_in_page(stranger):
    answer = await stranger.get("/parts/rows?ids=x", headers={"HX-Request": "true"})

    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login")


@pytest.mark.parametrize(
    ("wanted", "gone_to"),
    [
        ("/monitors/api?window=7d", "/monitors/api?window=7d"),
        ("https://evil.test/", "/"),
        ("//evil.test/", "/"),
        ("/\\evil.test", "/"),
        ("javascript:alert(1)", "/"),
        ("/\tevil", "/"),
    ],
)
async def test_signing_in_goes_on_within_this_site_only(stranger, wanted, gone_to):
    form = {"email": "ada@example.com", "password": PASSWORD, "next": wanted}

    answer = await stranger.post("/login", data=form)

    assert gone_to == answer.headers["location"]
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith(f"lifesign_session={SESSION};")
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


async def test_a_wrong_password_is_said_and_the_address_kept(stranger):
    answer = await stranger.post("/login", data={"email": "ada@example.com", "password": "x"})

    page = parse(answer.text)
    assert answer.status_code == 401
    assert "do not belong together" in page.text
    assert "ada@example.com" in [one.get("value") for one in page.all("input", name="email")]


async def test_setting_up_works_once_and_signs_in(stranger):
    form = {"token": "setup-token", "email": "ada@example.com", "password": PASSWORD}

    answer = await stranger.post("/setup", data=form)
    later = await stranger.get("/setup?token=setup-token")

    assert answer.headers["location"] == "/?said=welcome"
    assert "lifesign_session=" in answer.headers["set-cookie"]
    assert later.headers["location"] == "/login?said=is-set-up"


async def test_setting_up_without_the_token_is_refused(stranger):
    form = {"token": "guess", "email": "ada@example.com", "password": PASSWORD}

    answer = await stranger.post("/setup", data=form)

    assert answer.status_code == 422
    assert "set-cookie" not in answer.headers


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://evil.test"},
        {"Origin": "null"},
        {},
    ],
)
@pytest.mark.parametrize("path", ["/monitors/api/pause", "/settings/tokens", "/logout", "/login"])
async def test_writes_from_elsewhere_change_nothing(client, services, headers, path):
    del client.headers["Sec-Fetch-Site"]

    answer = await client.post(path, data={"name": "x"}, headers=headers)

    assert answer.status_code == 403
    assert not next(one for one in services.monitors.rows if one.slug == "api").paused
    assert SESSION in services.people.sessions


async def test_an_origin_of_our_own_is_enough_where_the_fetch_site_is_not_sent(client):
    del client.headers["Sec-Fetch-Site"]

    answer = await client.post(
        "/monitors/api/pause", data={}, headers={"Origin": "http://lifesign.test"}
    )

    assert answer.status_code == 303


async def test_giant_forms_are_refused_unread(client):
    answer = await client.post("/add", content=b"x", headers={"Content-Length": str(2 << 20)})

    assert answer.status_code == 422


@pytest.mark.parametrize(
    "path", ["/monitors/api/pause", "/alerts/alert-1/acknowledge", "/settings/tokens", "/add"]
)
async def test_readers_may_not_write(client, path):
    client.cookies.set("lifesign_session", READER)

    answer = await client.post(path, data={"name": "x"})

    assert answer.status_code == 403
    assert "reader@example.com may only read" in answer.text


async def test_readers_see_no_button_that_they_may_not_press(client):
    client.cookies.set("lifesign_session", READER)

    page = parse((await client.get("/monitors/billing-tools")).text)

    assert "Acknowledge" not in page.text
    assert "Pause" not in page.text


async def test_signing_out_ends_the_session(client, services):
    answer = await client.post("/logout", data={})

    assert SESSION not in services.people.sessions
    assert 'lifesign_session=""' in answer.headers["set-cookie"]


async def test_our_own_fault_is_logged_and_says_nothing_of_the_inside(
    client, services, monkeypatch
):
    async def broken(*_args):
        raise RuntimeError("secret detail")

    monkeypatch.setattr(services.alerts, "list", broken)

    answer = await client.get("/alerts")

    assert answer.status_code == 500
    assert "secret detail" not in answer.text
    assert "something is wrong in Lifesign itself" in parse(answer.text).text


async def test_an_unknown_path_has_a_page(client):
    answer = await client.get("/no/such/page")

    assert answer.status_code == 404
    assert "There is no page /no/such/page." in parse(answer.text).text


async def test_what_is_not_there_says_so_with_its_status(client):
    answer = await client.get("/monitors/none")

    assert answer.status_code == 404
    assert "There is no monitor none." in parse(answer.text).text
