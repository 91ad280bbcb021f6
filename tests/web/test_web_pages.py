"""What each page says, and what its forms do."""

import pytest

from lifesign.core.errors import InvalidError
from lifesign.core.messages import AlertState
from lifesign.core.model import State
from web.documents import OPEN_PAGES, PAGES, parse
from web.fake_kinds import NASTY
from web.fakes import FakeServices, emptied
from web.scene import monitor


async def test_the_sentence_comes_first(client):
    page = parse((await client.get("/")).text)

    assert "1 thing needs you. 7 of 10 are fine." in page.text
    assert page.text.index("1 thing needs you") < page.text.index("Production")
    assert "Firing for 6 min" in page.text
    assert "Nobody has taken it yet." in page.text


async def test_the_overview_of_an_empty_house_offers_one_box_and_one_command(client, services):
    emptied(services)

    page = parse((await client.get("/")).text)

    assert "Nothing is watched yet." in page.text
    assert "lifesign monitor add https://example.com" in page.text
    assert len(page.all("input", id="first")) == 1


async def test_the_filter_becomes_a_query(client, services):
    page = parse((await client.get("/?q=state:down,degraded+kind:mcp+tag:prod+bill")).text)

    query = services.monitors.calls[-1][1]
    assert query.states == (State.DOWN, State.DEGRADED)
    assert (query.kind, query.tag, query.text) == ("mcp", "prod", "bill")
    assert "billing-tools" in page.text


async def test_an_unknown_word_of_the_filter_is_explained(client):
    page = parse((await client.get("/?q=state:broken")).text)

    assert "There is no state “broken”" in page.text


async def test_listings_are_paged_on_the_server(client, services):
    services.monitors.rows += [monitor(f"m{number}") for number in range(120)]

    first = parse((await client.get("/")).text)
    links = [link["href"] for link in first.all("a") if "cursor=" in link.get("href", "")]
    second = parse((await client.get(links[0])).text)

    assert len([row for row in first.all("tr") if "data-monitor" in row]) == 50
    assert "cursor=50" in links[0]
    assert "Back to the worst" in second.text


async def test_rows_and_bars_are_parts(client):
    rows = (await client.get("/parts/rows?ids=id-api,id-none")).text
    bars = (await client.get("/parts/bars?ids=id-api,id-none")).text

    assert 'hx-target="#m-id-api"' in rows
    assert rows.count("<hx-partial") == bars.count("<hx-partial") == 1
    assert bars.count("h7.6") >= 30


async def test_a_monitor_shows_ladder_failure_and_what_to_do(client):
    page = parse((await client.get("/monitors/billing-tools")).text)

    assert "Down for 6 min" in page.text
    assert "tools/list internal 32603 failed" in page.text
    assert "canary not run not run" in page.text
    assert "What to do." in page.text
    assert 'relation \\"invoices\\" does not exist' in page.text
    assert "p50 96 ms · p95 143 ms · p99 201 ms" in page.text
    assert len([day for day in page.all("g") if "data-day" in day]) == 90


async def test_a_failing_condition_shows_what_was_expected_and_found(client):
    page = parse((await client.get("/monitors/search-api")).text)

    assert "expected warn: latency_ms < 800ms found 1240" in page.text


async def test_what_a_file_owns_is_read_only_and_names_the_file(client):
    page = parse((await client.get("/monitors/search-api")).text)

    assert "/etc/lifesign/lifesign.yaml" in page.text
    assert not [link for link in page.all("a") if link.get("href", "").endswith("/edit")]


async def test_a_heartbeat_gives_its_address_to_copy(client):
    page = parse((await client.get("/monitors/nightly-backup")).text)

    assert "curl -fsS -m 10 --retry 5 https://watch.example.com/ping/6a1f0c8e" in page.text
    assert [button for button in page.all("button") if "data-copy" in button]


@pytest.mark.parametrize(
    ("doing", "said"), [("pause", "Paused."), ("resume", "Resumed."), ("run", "under way")]
)
async def test_doings_answer_with_a_page_that_says_so(client, doing, said):
    answer = await client.post(f"/monitors/api/{doing}", data={})

    assert answer.status_code == 303
    assert said in parse((await client.get(answer.headers["location"])).text).text


async def test_removing_leads_to_the_overview(client, services):
    answer = await client.post("/monitors/api/remove", data={})

    assert answer.headers["location"] == "/?said=removed"
    assert "api" not in [one.slug for one in services.monitors.rows]


async def test_pasting_says_what_will_be_watched(client):
    page = parse((await client.get("/add?target=https://shop.example.com/")).text)

    assert "Web address: https://shop.example.com/" in page.text
    urls = page.all("input", name="settings.url")
    assert [one["value"] for one in urls] == ["https://shop.example.com/"]
    assert "optional" in page.text


async def test_the_trial_draws_the_ladder(client, services):
    form = {
        "kind": "http",
        "target": "https://refused.example.com/",
        "settings.url": "https://refused.example.com/",
    }

    page = parse((await client.post("/add/trial", data=form)).text)

    assert "DNS 4.1 ms passed" in page.text
    assert "TCP refused failed" in page.text
    assert "first byte not run not run" in page.text
    assert services.trials.drafts[-1]["settings"] == {"url": "https://refused.example.com/"}


async def test_saving_sends_the_form_as_a_draft(client, services):
    form = {
        "kind": "http", "target": "https://a.test", "intent": "save", "settings.url": "https://a.test",
        "settings.headers": "Accept: text/html\nX-One: 1", "settings.expect": "200\n204",
        "settings.redirects": "3", "settings.verify_tls:box": "1", "settings.slow": "1m30s",
        "settings.auth.username": "ada", "conditions": "status == 200", "interval": "30s",
        "tags": "prod, edge", "name": "",
    }  # fmt: skip

    answer = await client.post("/add", data=form)

    name, draft = services.monitors.calls[-1]
    assert name == "add"
    assert answer.headers["location"] == "/monitors/added?said=added"
    assert draft["settings"] == {
        "url": "https://a.test",
        "headers": {"Accept": "text/html", "X-One": "1"},
        "expect": ["200", "204"],
        "redirects": 3,
        "verify_tls": False,
        "slow": 90.0,
        "auth": {"username": "ada"},
    }
    assert tuple(draft[key] for key in ("interval", "tags", "conditions")) == (
        "30s",
        "prod, edge",
        "status == 200",
    )
    assert "name" not in draft


async def test_a_refused_draft_keeps_what_was_written_and_marks_the_field(client, services):
    services.monitors.refuse = InvalidError(
        "The monitor cannot be used as written.", problems=(("settings.url", "is no address"),)
    )

    answer = await client.post("/add", data={"kind": "http", "settings.url": "nonsense"})

    page = parse(answer.text)
    assert answer.status_code == 422
    assert [
        (one["value"], one["aria-invalid"]) for one in page.all("input", name="settings.url")
    ] == [("nonsense", "true")]
    assert "is no address" in page.text


async def test_editing_keeps_secrets_and_names_the_version(client, services):
    form = {
        "version": "3",
        "settings.url": "https://b.test",
        "settings.token": "***",
        "policy.confirmations": "5",
        "policy.degraded_ms": "",
    }

    await client.post("/monitors/api/edit", data=form)

    _, changes = services.monitors.calls[-1]
    assert changes["expected_version"] == 3
    assert changes["settings"]["token"] == "***"
    assert changes["settings"]["auth"] is None
    assert changes["policy"] == {"confirmations": 5, "degraded_ms": None}


async def test_acknowledging_goes_back_to_where_one_was(client, services):
    answer = await client.post("/alerts/alert-1/acknowledge", data={"back": "/alerts"})

    assert answer.headers["location"] == "/alerts?said=acknowledged"
    taken = services.alerts.rows[0]
    assert (taken.state, taken.acknowledged_by) == (AlertState.ACKNOWLEDGED, "ada@example.com")


async def test_an_alert_tells_who_was_told_why_and_how_it_went(client):
    page = parse((await client.get("/alerts/alert-1")).text)

    assert "severity critical is at least notice" in page.text
    assert "Delivered 1 attempt: 200 OK" in page.text
    assert "Waiting 2 attempts: 503, asked to wait 60 s; again in 40 s" in page.text
    assert "Given up 1 attempt: 550 no such user" in page.text


async def test_a_test_message_shows_the_answer(client):
    good = parse((await client.post("/channels/c1/test", data={})).text)
    bad = parse((await client.post("/channels/c2/test", data={})).text)

    assert "The test message was delivered to #ops in 84 ms. It answered: 200 OK" in good.text
    assert "was not delivered to on-call phone" in bad.text
    assert "503 Service Unavailable" in bad.text


async def test_a_channel_is_made_from_its_settings_model(client, services):
    form = {"name": "#ops", "settings.url": "https://h.test", "settings.secret": "s3cret"}

    tried = parse((await client.post("/channels/add/webhook", data=form | {"intent": "try"})).text)
    await client.post("/channels/add/webhook", data=form | {"intent": "save"})

    assert "It answered: 204 No Content" in tried.text
    assert services.channels.calls[-1][1] == {
        "name": "#ops", "kind": "webhook",
        "settings": {"url": "https://h.test", "secret": "s3cret"},
    }  # fmt: skip


async def test_a_route_is_made_of_ticks(client, services):
    form = {
        "name": "n",
        "channels": ["c1", "c2"],
        "min_severity": "high",
        "kinds": ["mcp"],
        "tags": "a, b",
        "enabled": "on",
    }

    await client.post("/routes/add", data=form)

    draft = services.channels.calls[-1][1]
    assert tuple(
        draft[key] for key in ("channels", "min_severity", "kinds", "tags", "events", "enabled")
    ) == (["c1", "c2"], "high", ["mcp"], ["a", "b"], [], True)


async def test_a_token_is_shown_once(client):
    made = await client.post(
        "/settings/tokens", data={"name": "ci2", "grant": "read", "expires": "90"}
    )
    again = await client.get("/settings")

    assert "lsn_user_new1SECRET" in made.text
    assert "lsn_user_new1SECRET" not in again.text
    assert "ci2" in again.text


async def test_the_look_is_kept_in_cookies(client):
    answer = await client.post(
        "/settings/look", data={"theme": "dark", "keys": "off", "times": "x"}
    )
    page = parse((await client.get("/settings")).text)

    assert "lifesign_times" not in str(answer.headers.get_list("set-cookie"))
    assert [(one["data-theme"], one["data-keys"]) for one in page.all("html")] == [("dark", "off")]


@pytest.mark.parametrize("path", [*PAGES.values(), *OPEN_PAGES.values()])
async def test_hostile_text_stays_text(client, stranger, path):
    """What watched things send appears as text and makes no element."""
    answer = await (stranger if path in OPEN_PAGES.values() else client).get(path)

    page = parse(answer.text)
    assert not page.all("img")
    assert "<script>alert" not in answer.text
    assert all("onerror" not in attributes for _, attributes in page.elements)


async def test_hostile_text_is_shown(client):
    page = parse((await client.get("/monitors/nasty")).text)

    assert NASTY in page.text


async def test_long_texts_are_cut(client, services: FakeServices):
    services.monitors.rows = [monitor("long", name="x" * 5000, target="y" * 9000)]

    text = (await client.get("/")).text

    assert "x" * 301 not in text
    assert "y" * 301 not in text
