"""Tokens: got from the authorization server, kept, renewed in time, and what it means when none can be had."""

import asyncio
import base64

import pytest

from lifesign.clock import FakeClock, SystemClock
from lifesign.net import Net
from lifesign.probes.mcp.client.oauth import NAMED_METADATA
from lifesign.probes.mcp.client.tokens import Client, token_form, token_headers
from lifesign.probes.registry import ProbeContext
from servers.credentialed import SECRET, at, authorization, client, trouble
from servers.signin import RESOURCE_PATH, SERVER_PATH, Page, SignIn, grant, page


async def test_a_token_is_asked_for_once_and_kept():
    async with SignIn() as server:
        credentials, ctx = client(server, scope="a  b"), at()
        assert await authorization(credentials, ctx) == "Bearer access-1"
        assert await authorization(credentials, ctx) == "Bearer access-1"

    [asked] = server.asked
    assert asked.form == {"grant_type": "client_credentials", "scope": "a b", "resource": server.endpoint}  # fmt: skip
    expected = base64.b64encode(f"probe:{SECRET}".encode()).decode()
    assert asked.headers["authorization"] == f"Basic {expected}"


async def test_id_and_secret_may_be_sent_in_the_form():
    async with SignIn() as server:
        credentials = client(server, auth_method="post", resource="https://other.example/mcp")
        await credentials.headers(at())

    [asked] = server.asked
    assert "authorization" not in asked.headers
    assert asked.form == {
        "grant_type": "client_credentials",
        "resource": "https://other.example/mcp",
        "client_id": "probe",
        "client_secret": SECRET,
    }


def test_odd_characters_of_id_and_secret_are_encoded_first():
    """RFC 6749 §2.3.1: form-encoded, then joined by the colon that neither half may hold."""
    [(name, value)] = token_headers(Client("a:b", "c d%"))

    assert name == "Authorization"
    assert base64.b64decode(value.removeprefix("Basic ")) == b"a%3Ab:c+d%25"
    assert token_form(Client("a", "b")) == b"grant_type=client_credentials"


# --- where the token endpoint is


async def test_an_issuer_leads_to_its_token_endpoint():
    async with SignIn() as server:
        credentials, ctx = client(server, token_url=None, issuer=server.base), at()
        assert await authorization(credentials, ctx) == "Bearer access-1"
        await credentials.renewed(ctx)

    assert server.paths == [SERVER_PATH, "/token", "/token"]


async def test_the_servers_own_metadata_leads_to_the_token_endpoint():
    async with SignIn() as server:
        assert await authorization(client(server, token_url=None), at()) == "Bearer access-1"

    assert server.paths == [RESOURCE_PATH, SERVER_PATH, "/token"]


async def test_the_metadata_that_the_last_challenge_named_is_asked_first():
    async with SignIn() as server:
        server.pages["/prm"] = server.pages.pop(RESOURCE_PATH)
        ctx = at(memory={NAMED_METADATA: f"{server.base}/prm"})
        assert await authorization(client(server, token_url=None), ctx) == "Bearer access-1"

    assert server.paths[0] == "/prm"


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ({"resource": "https://b.example/mcp", "authorization_servers": ["{base}"]}, "another resource, https://b.example/mcp"),
        ({"resource": "{base}/mcp", "authorization_servers": ["http://as.example"]}, "http://as.example, which is not https"),
        ({"resource": "{base}/mcp", "authorization_servers": ["{base}/none"]}, "its metadata cannot be had"),
        ({}, "it leads to no authorization server"),
    ],
)  # fmt: skip
async def test_no_secret_goes_where_doubtful_metadata_leads(document, words):
    async with SignIn() as server:
        server.pages[RESOURCE_PATH] = page(document)
        assert words in await trouble(client(server, token_url=None), at())

    assert "/token" not in server.paths


async def test_another_issuer_gets_no_secret():
    async with SignIn() as server:
        server.pages[SERVER_PATH] = page(server.metadata(issuer="https://b.example"))
        words = await trouble(client(server, token_url=None, issuer=server.base), at())

    assert "calls the issuer https://b.example" in words
    assert "/token" not in server.paths


# --- what goes wrong at the token endpoint

ANSWERS = {
    "wrong secret": (page({"error": "invalid_client"}, 401), "refused with HTTP 401, invalid_client"),
    "an echo": (page({"error": SECRET, "error_description": SECRET}, 400), "refused with HTTP 400."),
    "500": (Page(b"boom", 500, {}), "refused with HTTP 500."),
    "a page": (Page(b"<html>log in", headers={"content-type": "text/html"}), "the answer is a web page and no JSON object"),
    "nothing": (Page(), "the answer is empty"),
    "no token": (page({"token_type": "Bearer"}), "has no usable `access_token`"),
    "a broken token": (page({"access_token": "a\r\nX: y"}), "has no usable `access_token`"),
    "dpop": (page({"access_token": "a", "token_type": "DPoP"}), "not a bearer token"),
    "too large": (Page(b'{"access_token": "a"}' + b" " * 300_000), "the answer is too large"),
}  # fmt: skip


@pytest.mark.parametrize("case", ANSWERS)
async def test_a_token_that_cannot_be_had_is_our_own_trouble(case):
    answer, words = ANSWERS[case]
    async with SignIn() as server:
        server.token = lambda _asked: answer
        message = await trouble(client(server), at())

    assert message.startswith(f"Getting a token from {server.base}/token: ")
    assert words in message


async def test_a_token_endpoint_that_hangs_costs_its_share_of_the_time():
    loop = asyncio.get_running_loop()
    async with SignIn() as server:
        server.token = lambda _asked: Page(hangs=True)
        ctx = ProbeContext(Net.open(), SystemClock(), loop.time() + 0.5)
        began = loop.time()
        message = await trouble(client(server), ctx)

        assert loop.time() - began < 0.4
    assert "sent no byte" in message


async def test_a_token_endpoint_behind_the_fence_is_told():
    async with SignIn() as server:
        message = await trouble(client(server), at(deny=["127.0.0.0/8"]))

    assert "127.0.0.1" in message


# --- renewal


async def test_a_token_is_renewed_a_minute_before_its_end():
    numbers = iter(range(1, 10))
    async with SignIn() as server:
        server.token = lambda _asked: grant(next(numbers), expires_in=3600)
        clock, memory = FakeClock(), {}
        credentials = client(server)
        got = []
        for seconds in (0, 3539, 2, 3500):
            clock.advance(seconds)
            got.append(await authorization(credentials, at(clock, memory)))

    assert got == ["Bearer access-1", "Bearer access-1", "Bearer access-2", "Bearer access-2"]


async def test_a_short_token_is_renewed_after_four_fifths_of_its_life():
    numbers = iter(range(1, 10))
    async with SignIn() as server:
        server.token = lambda _asked: grant(next(numbers), expires_in="100")
        clock, memory = FakeClock(), {}
        credentials = client(server)
        got = []
        for seconds in (0, 79, 2):
            clock.advance(seconds)
            got.append(await authorization(credentials, at(clock, memory)))

    assert got == ["Bearer access-1", "Bearer access-1", "Bearer access-2"]


async def test_a_refresh_token_is_used_when_one_came():
    numbers = iter(range(1, 10))
    async with SignIn() as server:
        server.token = lambda _asked: grant(next(numbers), expires_in=100, refresh_token="again")
        clock, memory = FakeClock(), {}
        credentials = client(server)
        await credentials.headers(at(clock, memory))
        clock.advance(90)
        assert await authorization(credentials, at(clock, memory)) == "Bearer access-2"

    assert [asked.form["grant_type"] for asked in server.asked] == ["client_credentials", "refresh_token"]  # fmt: skip
    assert server.asked[1].form["refresh_token"] == "again"


async def test_a_refused_refresh_token_falls_back_to_the_secret():
    async with SignIn() as server:

        def answer(asked):
            if asked.form["grant_type"] == "refresh_token":
                return page({"error": "invalid_grant"}, 400)
            return grant(len(server.asked), expires_in=100, refresh_token="old")

        server.token = answer
        clock, memory = FakeClock(), {}
        credentials = client(server)
        await credentials.headers(at(clock, memory))
        clock.advance(90)
        assert await authorization(credentials, at(clock, memory)) == "Bearer access-3"


async def test_a_refused_token_is_replaced_once():
    numbers = iter(range(1, 10))
    async with SignIn() as server:
        server.token = lambda _asked: grant(next(numbers))
        credentials, ctx = client(server), at()
        await credentials.headers(ctx)
        renewed = await credentials.renewed(ctx)

        assert renewed is not None
        assert dict(renewed)["Authorization"] == "Bearer access-2"
        assert await authorization(credentials, ctx) == "Bearer access-2"


async def test_the_rest_of_a_token_is_used_while_no_new_one_can_be_had():
    async with SignIn() as server:
        server.token = lambda _asked: grant(expires_in=3600)
        clock, memory = FakeClock(), {}
        credentials = client(server)
        await credentials.headers(at(clock, memory))
        assert credentials.facts(at(clock, memory)) == {}

        server.token = lambda _asked: page({}, 503)
        clock.advance(3550)
        assert await authorization(credentials, at(clock, memory)) == "Bearer access-1"
        facts = credentials.facts(at(clock, memory))
        assert (facts["credential.source"], facts["credential.expires_in_s"]) == ("oauth", 50.0)

        clock.advance(51)
        assert "HTTP 503" in await trouble(credentials, at(clock, memory))


async def test_changed_settings_ask_for_a_token_of_their_own():
    async with SignIn() as server:
        memory: dict[str, object] = {}
        await client(server).headers(at(memory=memory))
        await client(server, scope="more").headers(at(memory=memory))

    assert len(server.asked) == 2


# --- expiry
