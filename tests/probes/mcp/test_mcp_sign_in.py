"""The whole probe before closed doors: strangers, credentials of every sort, their ends, and what is never told."""

import asyncio
import base64
import datetime as dt
import json
import ssl
from typing import Any

import httpx2
import pytest
import trustme
from mcp.client.auth.extensions.client_credentials import ClientCredentialsOAuthProvider

from lifesign.clock import Clock, FakeClock, SystemClock
from lifesign.core.model import Level, Observation, Reason, State
from lifesign.core.verdict import assess
from lifesign.net import Net
from lifesign.probes.mcp import MCPSettings, watch
from lifesign.probes.registry import ProbeContext
from lifesign.testing import Answer, Call, FaultyMCP
from lifesign.testing.gate import CLIENT_ID, CLIENT_SECRET, Gate
from servers.mcp_visit import where
from servers.sdk_guarded import Tokens, sdk_guarded
from servers.signin import SERVER_PATH, Page, SignIn, grant, page

NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)
SECRET = "hunter2-hunter2"
OAUTH = {"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}


class Watcher:
    """One monitor that looks at a server again and again."""

    def __init__(self, url: str, *, clock: Clock | None = None, **settings: Any) -> None:
        self.settings = MCPSettings.model_validate({"url": url, "session_calls": 0} | settings)
        self.clock = clock or SystemClock()
        self.memory: dict[str, object] = {}

    async def look(self, within: float = 5.0) -> Observation:
        deadline = asyncio.get_running_loop().time() + within
        return await watch(
            self.settings, ProbeContext(Net.open(), self.clock, deadline, memory=self.memory)
        )


def told(observation: Observation) -> list[tuple[str, Level]]:
    return [(f"{each.layer}/{each.code}", each.level) for each in observation.findings]


def state(observation: Observation) -> object:
    return observation.facts.get("auth.state")


def jwt(end: dt.datetime) -> str:
    parts = ({"alg": "none"}, {"exp": end.timestamp(), "sub": "probe"})
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]  # fmt: skip
    return ".".join((*texts, "c2ln"))


# --- a server of the official SDK, and an authorization server of our own


async def test_the_official_server_is_healthy_to_a_stranger():
    async with SignIn() as issuer, sdk_guarded(issuer.base, Tokens({})) as url:
        seen = await Watcher(url).look()

    assert where(seen) == "ok"
    assert assess(seen).state is State.UP
    assert told(seen) == [("auth/required", Level.INFO)]
    assert seen.facts["auth.state"] == "required"
    assert seen.facts["auth.issuer"] == issuer.base
    assert seen.facts["auth.scopes"] == ["mcp:read"]
    assert "tools.count" not in seen.facts


async def test_the_official_server_lets_a_good_token_in():
    async with SignIn() as issuer, sdk_guarded(issuer.base, Tokens({"good": ["mcp:read"]})) as url:
        watcher = Watcher(url, bearer_token="good")
        seen = await watcher.look()
        asked = len(issuer.asked)
        await watcher.look()

    assert (where(seen), told(seen), state(seen)) == ("ok", [], "healthy")
    assert seen.facts["tools.count"] == 1
    assert seen.surface is not None
    assert len(seen.surface.audience) == 8
    assert asked == len(issuer.asked) == 1


@pytest.mark.parametrize(
    ("token", "expected", "standing"),
    [("bad", "auth/token_rejected", "broken"), ("weak", "auth/insufficient_scope", "walled")],
)
async def test_the_official_server_refuses_other_tokens(token, expected, standing):
    tokens = Tokens({"weak": ["mcp:other"]})
    async with SignIn() as issuer, sdk_guarded(issuer.base, tokens) as url:
        seen = await Watcher(url, bearer_token=token).look()

    assert (where(seen), state(seen)) == (expected, standing)
    assert seen.failure is not None
    assert seen.failure.reason is Reason.AUTH_WALLED
    assert assess(seen).state is State.DOWN


async def test_an_oauth_client_finds_its_token_by_the_servers_own_metadata():
    async with SignIn() as issuer, sdk_guarded(issuer.base, Tokens({"access-1": ["mcp:read"]})) as url:  # fmt: skip
        seen = await Watcher(url, oauth=OAUTH).look()

    assert (where(seen), state(seen)) == ("ok", "healthy")
    assert [asked.form["resource"] for asked in issuer.asked if asked.path == "/token"] == [url]


class Kept:
    """The storage of the official client: it keeps what it is given."""

    def __init__(self) -> None:
        self.tokens: Any = None

    async def get_tokens(self) -> Any:
        return self.tokens

    async def set_tokens(self, tokens: Any) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> None:
        return None

    async def set_client_info(self, info: object) -> None:
        raise AssertionError(info)


@pytest.mark.parametrize(("ours", "theirs"), [("basic", "client_secret_basic"), ("post", "client_secret_post")])  # fmt: skip
async def test_a_token_is_asked_for_as_the_official_client_does(ours, theirs):
    async with SignIn() as issuer, sdk_guarded(issuer.base, Tokens({"access-1": ["mcp:read"]})) as url:  # fmt: skip
        provider = ClientCredentialsOAuthProvider(
            url, Kept(), CLIENT_ID, CLIENT_SECRET, token_endpoint_auth_method=theirs,
            scope="mcp:read", issuer=issuer.base,
        )  # fmt: skip
        async with httpx2.AsyncClient(auth=provider, trust_env=False) as client:
            answer = await client.post(url, json={}, headers={"accept": "application/json"})
        assert answer.status_code not in (401, 403)
        oauth = OAUTH | {"scope": "mcp:read", "auth_method": ours}
        seen = await Watcher(url, oauth=oauth).look()

    one, other = (asked for asked in issuer.asked if asked.path == "/token")
    assert where(seen) == "ok"
    assert one.form == other.form
    assert one.headers.get("authorization") == other.headers.get("authorization")


async def test_a_token_that_was_called_back_is_replaced_within_the_probe():
    tokens = Tokens({"access-1": ["mcp:read"]})
    async with SignIn() as issuer, sdk_guarded(issuer.base, tokens) as url:
        watcher = Watcher(url, oauth=OAUTH | {"issuer": issuer.base})
        await watcher.look()
        tokens.scopes = {"access-2": ["mcp:read"]}
        issuer.token = lambda _asked: grant(2)
        seen = await watcher.look()
        tokens.scopes = {}
        refused = await watcher.look()

    assert (where(seen), state(seen)) == ("ok", "healthy")
    assert where(refused) == "auth/token_rejected"


async def test_an_issuer_that_gives_no_new_token_is_our_own_trouble():
    tokens = Tokens({"access-1": ["mcp:read"]})
    async with SignIn() as issuer, sdk_guarded(issuer.base, tokens) as url:
        watcher = Watcher(url, oauth=OAUTH | {"issuer": issuer.base})
        await watcher.look()
        tokens.scopes.clear()
        issuer.token = lambda _asked: Page(b"<html>", 500)
        seen = await watcher.look()

    assert (where(seen), state(seen)) == ("credential/refresh_failed", "broken")
    assert assess(seen).state is State.UNKNOWN


async def test_an_outage_does_not_hide_behind_our_own_trouble():
    async with SignIn() as issuer, FaultyMCP(every=Answer(502)) as server:
        issuer.token = lambda _asked: page({"error": "invalid_client"}, 401)
        oauth = OAUTH | {"token_url": f"{issuer.base}/token"}
        ill = await Watcher(server.url, oauth=oauth).look()
        gone = await Watcher("http://127.0.0.1:1/mcp", oauth=oauth).look()

    assert where(ill) == "http/gateway_error"
    assert where(gone) == "tcp/refused"


async def test_the_challenge_is_among_the_evidence():
    tokens = Tokens({})
    async with SignIn() as issuer, sdk_guarded(issuer.base, tokens) as url:
        seen = await Watcher(url, bearer_token="secret-4711").look()

    assert seen.failure is not None
    assert 'Bearer: error="invalid_token"' in seen.failure.evidence


async def test_the_end_of_a_credential_is_told_while_a_server_is_left_alone():
    busy = Answer(429, {"Retry-After": "60"})
    token = jwt(NOW + dt.timedelta(hours=1))
    async with FaultyMCP(every=busy) as server:
        watcher = Watcher(server.url, clock=FakeClock(NOW), bearer_token=token)
        await watcher.look()
        seen = await watcher.look()

    assert len(server.requests) == 1
    assert seen.facts["credential.expires_in_s"] == 3600.0


# --- a server of our own


async def test_a_wall_behind_an_open_handshake_is_told():
    async with FaultyMCP("auth/tools_walled") as server:
        seen = await Watcher(server.url).look()

    assert (where(seen), state(seen)) == ("auth/tools_walled", "walled")


async def test_a_server_that_asks_for_nothing_is_open():
    async with FaultyMCP() as server:
        seen = await Watcher(server.url).look()

    assert (where(seen), told(seen), state(seen)) == ("ok", [], "open")


async def test_a_credential_that_is_not_needed_is_told_unless_that_is_meant():
    async with FaultyMCP() as server:
        seen = await Watcher(server.url, bearer_token="good").look()
        meant = await Watcher(server.url, bearer_token="good", check_refusal=False).look()

    assert told(seen) == [("auth/open_to_all", Level.WARN)]
    assert state(seen) == "open"
    assert (told(meant), state(meant)) == ([], "healthy")


async def test_a_handshake_that_is_open_by_design_is_not_open_to_all():
    async with FaultyMCP("auth/tools_walled") as server:
        seen = await Watcher(server.url, bearer_token=Gate().token).look()

    assert (where(seen), told(seen), state(seen)) == ("ok", [], "healthy")


async def test_a_knock_leaves_no_session_behind():
    async with FaultyMCP("auth/tools_walled") as server:
        await Watcher(server.url, bearer_token=Gate().token).look()

        assert server.sessions == []


async def test_a_stranger_who_is_left_waiting_costs_no_more_than_the_deadline():
    def stall(call: Call) -> Answer:
        return call.faithful() if "authorization" in call.headers else Answer(is_silent=True)

    async with FaultyMCP(every=stall) as server:
        loop = asyncio.get_running_loop()
        began = loop.time()
        seen = await Watcher(server.url, bearer_token="good").look(within=1.0)

    assert loop.time() - began < 1.0
    assert (where(seen), state(seen)) == ("ok", "healthy")
    assert float(str(seen.facts["latency_ms"])) < 400


async def test_the_era_of_today_is_refused_and_let_in_alike():
    async with FaultyMCP(era="modern", gate=Gate()) as server:
        stranger = await Watcher(server.url).look()
        known = await Watcher(server.url, oauth=OAUTH).look()

    assert (where(stranger), state(stranger)) == ("ok", "required")
    assert (where(known), told(known), state(known)) == ("ok", [], "healthy")


# --- the end of a credential


async def test_a_token_that_ran_out_between_two_looks_is_our_own_trouble():
    clock, token = FakeClock(NOW), jwt(NOW + dt.timedelta(minutes=30))
    async with FaultyMCP(gate=Gate(token=token)) as server:
        watcher = Watcher(server.url, clock=clock, bearer_token=token)
        before = await watcher.look()
    clock.advance(3600)
    async with FaultyMCP(gate=Gate(token="another")) as server:
        watcher.settings = watcher.settings.model_copy(update={"url": server.url})
        after = await watcher.look()

    assert (where(before), before.facts["credential.source"]) == ("ok", "jwt")
    assert before.facts["credential.expires_in_s"] == 1800.0
    assert (where(after), state(after)) == ("credential/expired", "broken")
    assert after.facts["credential.expires_in_s"] == -1800.0
    assert assess(after).state is State.UNKNOWN


async def test_a_server_that_lets_an_expired_token_in_is_not_blamed_for_it():
    token = jwt(NOW - dt.timedelta(days=1))
    async with FaultyMCP(gate=Gate(token=token)) as server:
        seen = await Watcher(server.url, clock=FakeClock(NOW), bearer_token=token).look()

    assert where(seen) == "ok"
    assert seen.facts["credential.expires_in_s"] == -86_400.0


# --- certificates


def guarded_by(ca: trustme.CA) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    ca.issue_cert("127.0.0.1").configure_cert(context)
    ca.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    return context


def shown(ca: trustme.CA, **more: Any) -> dict[str, object]:
    mine = ca.issue_cert("probe.example", **more)
    return {
        "ca_pem": ca.cert_pem.bytes().decode(),
        "client_certificate": {
            "cert_pem": mine.cert_chain_pems[0].bytes().decode(),
            "key_pem": mine.private_key_pem.bytes().decode(),
        },
    }


async def test_a_certificate_lets_us_in_where_strangers_are_hung_up_on():
    ca = trustme.CA()
    async with FaultyMCP(tls=guarded_by(ca)) as server:
        known = await Watcher(server.url, **shown(ca)).look()
        stranger = await Watcher(server.url, ca_pem=ca.cert_pem.bytes().decode()).look()

    assert (where(known), told(known), state(known)) == ("ok", [], "healthy")
    assert known.facts["credential.source"] == "certificate"
    assert stranger.failure is not None
    assert stranger.failure.layer in {"tls", "tcp", "http"}


async def test_an_expired_certificate_is_our_own_trouble():
    ca = trustme.CA()
    ended = dt.datetime.now(dt.UTC) - dt.timedelta(days=1)
    began = ended - dt.timedelta(days=1)
    async with FaultyMCP(tls=guarded_by(ca)) as server:
        seen = await Watcher(server.url, **shown(ca, not_before=began, not_after=ended)).look()

    assert where(seen) == "credential/expired"
    assert seen.failure is not None
    assert "as the client certificate says" in seen.failure.message


# --- nothing leaks


def echo(call: Call) -> Answer:
    """A server that says everything it was told, in every place it can."""
    told_us = json.dumps(dict(call.headers)).replace('"', "'")
    headers = {
        "Content-Type": "application/json",
        "WWW-Authenticate": f'Bearer realm="{told_us}", scope="{told_us}", resource_metadata="http://127.0.0.1:1/{told_us}"',
    }
    return Answer(401, headers, json.dumps({"error": told_us}).encode())


@pytest.mark.parametrize("is_refused", [True, False])
async def test_no_secret_comes_back_in_anything_that_is_told(is_refused):
    key, token = "key-of-ours-4711", jwt(dt.datetime.now(dt.UTC) + dt.timedelta(days=1))
    async with SignIn() as issuer:
        issuer.pages[SERVER_PATH] = page(issuer.metadata(issuer=SECRET))
        issuer.token = lambda _asked: page({"error": SECRET}, 400) if is_refused else grant(access_token=token)  # fmt: skip
        async with FaultyMCP(every=echo) as server:
            watcher = Watcher(
                server.url,
                headers={"X-Key": key},
                oauth={"client_id": "probe", "client_secret": SECRET, "token_url": f"{issuer.base}/token"},
            )  # fmt: skip
            seen = await watcher.look()

    assert where(seen) == ("credential/refresh_failed" if is_refused else "auth/token_rejected")
    for secret in (SECRET, key, token):
        assert secret not in repr((seen, watcher.memory, watcher.settings))
