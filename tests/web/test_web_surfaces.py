"""Pages of published surfaces: what they say, what people decide on them, and who may."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import httpx2
import pytest

from lifesign.core.batch import Event
from lifesign.core.messages import AlertState
from lifesign.web.phrases import concern_word, told
from web.documents import parse
from web.fake_kinds import NOW, READER
from web.fake_surfaces import NEW, OLD, place
from web.fakes import FakeServices
from web.scene import alerts_of_the_scene

SURFACE = "/monitors/billing-tools/surface"


async def said(client, path: str) -> str:
    return parse((await client.get(path)).text).text


async def test_a_server_is_shown_with_its_sign_in_checks_and_credential(client):
    text = await said(client, "/monitors/github")

    for words in ("signed in", "expires in 7 h", "Canary search", "Health URL backend", "queue Down", "Streamable HTTP, event-stream replies"):  # fmt: skip
        assert words in text
    assert "canary.search.state" not in text


async def test_a_server_that_asks_to_sign_in_is_up_and_says_so(client, services: FakeServices):
    services.monitors.rows = [replace(each, flapping=False) for each in services.monitors.rows]
    page = parse((await client.get("/monitors/stripe")).text)

    assert "Up for 12 d" in page.text
    assert "sign-in required" in page.text
    assert "It asks strangers to sign in" in page.text
    assert "behind sign-in not run" in page.text


async def test_a_listing_says_which_servers_ask_to_sign_in(client, services: FakeServices):
    services.monitors.rows = [replace(each, flapping=False) for each in services.monitors.rows]

    assert "Sign-in required: https://mcp.stripe.com asks" in await said(client, "/")


async def test_kinds_without_a_surface_have_no_such_part(client):
    assert "What it publishes" not in await said(client, "/monitors/api")


async def test_drift_is_told_with_its_first_changes_and_what_can_be_done(client):
    page = parse((await client.get("/monitors/billing-tools")).text)

    assert "It publishes something else than what was accepted" in page.text
    assert "Tool ‘wait’ was removed." in page.text
    assert "possible tool poisoning" in page.text
    digests = page.all("input", name="digest")
    assert {each["value"] for each in digests} == {NEW}
    links = [each["href"] for each in page.all("a") if "/surface/diff?" in each.get("href", "")]
    assert links == [
        f"{SURFACE}/diff?before={OLD.replace(':', '%3A')}&after={NEW.replace(':', '%3A')}"
    ]


async def test_drift_that_nobody_has_taken_can_be_taken_where_it_is_told(client, services):
    taken = services.alerts.rows[2]
    services.alerts.rows[2] = replace(taken, state=AlertState.FIRING, acknowledged_by="")
    page = parse((await client.get("/monitors/billing-tools")).text)

    actions = [each.get("action", "") for each in page.all("form")]
    assert [each for each in actions if "acknowledge" in each] == [
        "/alerts/alert-1/acknowledge",
        "/alerts/alert-5/acknowledge",
    ]


async def test_the_timeline_says_what_became_of_each_change(client):
    text = await said(client, SURFACE)

    for words in ("not accepted: this is drift", "accepted by grace@example.com", "accepted with the release 4.0", "accepted by itself", "went away"):  # fmt: skip
        assert words in text
    assert "Earlier changes" in text


async def test_a_steady_surface_says_for_how_long(client):
    assert "Unchanged for 3 d" in await said(client, "/monitors/stripe/surface")


async def test_a_surface_that_is_seen_no_more_is_called_neither_accepted_nor_unchanged(
    client, services: FakeServices
):
    gone = place(stale=True, seen_at=NOW - timedelta(minutes=9))
    services.surfaces.places["stripe"] = (gone,)
    for path in ("/monitors/stripe", "/monitors/stripe/surface"):
        text = await said(client, path)

        assert "last seen 9 min ago" in text
        assert "Was as accepted" in text
        assert "nchanged for" not in text


async def test_an_unstable_surface_says_so(client):
    text = await said(client, "/monitors/github")

    assert "Unstable list" in text
    assert "The surface is unstable" in await said(client, "/monitors/github/surface")
    assert "nothing new is confirmed" in await said(client, "/monitors/github/surface/diff")


async def test_a_comparison_groups_and_reveals(client):
    answer = await client.get(f"{SURFACE}/diff")
    page = parse(answer.text)

    assert (
        page.text.index("Breaking") < page.text.index("Safety hints") < page.text.index("Wording")
    )
    assert '<mark class="unseen">U+202E</mark>' in answer.text
    assert "\u202e" not in answer.text
    assert "Honest texts hold such signs too" in page.text


async def test_a_surface_that_was_never_published_is_a_problem_page(client):
    answer = await client.get(f"{SURFACE}/diff?before=v1:no&after={NEW}")

    assert answer.status_code == 404
    assert "never published" in parse(answer.text).text


async def test_the_same_surface_twice_has_nothing_to_show(client):
    assert "are the same" in await said(client, f"{SURFACE}/diff?before={OLD}&after={OLD}")


@pytest.mark.parametrize(
    ("pin", "notice"), [("", "is the baseline"), ("on", "Accepted and pinned")]
)
async def test_accepting_names_the_surface_that_was_looked_at(
    client, services: FakeServices, pin, notice
):
    form = {"digest": NEW, "pin": pin, "back": "/monitors/billing-tools"}
    answer = await client.post(f"{SURFACE}/accept", data=form)

    assert services.surfaces.calls == [
        (
            "accept",
            {"id": "billing-tools", "digest": NEW, "pin": bool(pin), "by": "ada@example.com"},
        )
    ]
    assert answer.headers["location"].startswith("/monitors/billing-tools?said=accepted")
    text = await said(client, answer.headers["location"])
    assert notice in text
    assert "something else than what was accepted" not in text


async def test_a_baseline_is_pinned_and_set_free(client, services: FakeServices):
    services.surfaces.places["github"] = (place(),)
    pinned = await client.post("/monitors/github/surface/pin", data={})
    shown = await said(client, pinned.headers["location"])
    freed = await client.post("/monitors/github/surface/unpin", data={})

    assert "Only people and announced releases move the baseline" in shown
    assert [name for name, _ in services.surfaces.calls] == ["pin", "unpin"]
    assert "Unpinned." in await said(client, freed.headers["location"])


async def test_a_release_is_announced_in_utc(client, services: FakeServices):
    form = {"starts_at": "", "ends_at": "2026-11-20T15:30", "note": "4.2", "digest": ""}
    answer = await client.post(f"{SURFACE}/announce", data=form)

    ((name, made),) = services.surfaces.calls
    assert (name, made["starts_at"], made["note"]) == ("announce", None, "4.2")
    assert made["ends_at"] == datetime(2026, 11, 20, 15, 30, tzinfo=UTC)
    assert "accepted in silence" in await said(client, answer.headers["location"])


@pytest.mark.parametrize(
    ("ends_at", "why"),
    [("2026-11-20T10:00", "is over already"), ("", "say until when"), ("tomorrow", "is no date and time")],
)  # fmt: skip
async def test_a_release_that_cannot_be_is_told_at_its_field(client, services, ends_at, why):
    answer = await client.post(f"{SURFACE}/announce", data={"ends_at": ends_at, "note": "4.2"})
    page = parse(answer.text)

    assert answer.status_code == 422
    assert why in page.text
    assert [each["value"] for each in page.all("input", name="note")] == ["4.2"]
    assert "aria-invalid" in page.all("input", name="ends_at")[0]
    assert services.surfaces.calls == []


async def test_a_release_is_taken_back(client, services: FakeServices):
    answer = await client.post(f"{SURFACE}/releases/rel_1/cancel", data={})

    assert services.surfaces.releases == []
    assert "Taken back." in await said(client, answer.headers["location"])


DOINGS = ("accept", "pin", "unpin", "announce", "releases/rel_1/cancel")


@pytest.mark.parametrize("doing", DOINGS)
async def test_a_reader_and_another_site_decide_nothing(client, pages, services, doing):
    foreign = await client.post(
        f"{SURFACE}/{doing}", data={"digest": NEW}, headers={"Sec-Fetch-Site": "cross-site"}
    )
    reader = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=pages), base_url="http://lifesign.test",
        cookies={"lifesign_session": READER}, headers={"Sec-Fetch-Site": "same-origin"},
    )  # fmt: skip
    refused = await reader.post(f"{SURFACE}/{doing}", data={"digest": NEW})

    assert (foreign.status_code, refused.status_code) == (403, 403)
    assert services.surfaces.calls == []
    assert services.surfaces.releases


async def test_a_reader_sees_no_evidence_and_no_buttons(pages):
    reader = httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=pages), base_url="http://lifesign.test",
        cookies={"lifesign_session": READER},
    )  # fmt: skip
    page = parse((await reader.get("/monitors/billing-tools")).text)

    assert "Evidence, as the target sent it" not in page.text
    assert "Accept" not in page.text
    assert "Compare" in page.text


async def test_a_concern_leads_to_its_evidence_and_breaks_no_layer(client):
    page = parse((await client.get("/alerts")).text)

    links = {each.get("href", "") for each in page.all("a")}
    assert {
        f"{SURFACE}/diff",
        "/monitors/github/edit",
        "/monitors/stripe?window=7d&by=p95#times",
    } <= links
    assert [concern_word(each) for each in alerts_of_the_scene()][2:5] == [
        "Drift", "Credential", "Slower than usual",
    ]  # fmt: skip
    assert "uptime is not touched" in await said(client, "/alerts/alert-5")


@pytest.mark.parametrize(
    ("type", "data", "words"),
    [
        ("monitor.drift", {"name": "shop"}, ("shop", "publishes something else than before")),
        ("monitor.baseline_pinned", {"name": "shop", "by": "ada"}, ("shop", "has a pinned baseline, by ada")),
        ("release.announced", {"note": "4.1", "by": "ada"}, ("The release 4.1", "was announced by ada")),
        ("release.cancelled", {}, ("A release", "was taken back")),
    ],
)  # fmt: skip
def test_the_feed_tells_of_surfaces(type, data, words):
    assert told(Event(type=type, at=NOW, data=data))[:2] == words
