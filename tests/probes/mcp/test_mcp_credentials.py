"""Credentials: what is sent, when it is renewed, when it runs out, and that none of it is ever told."""

import asyncio
import base64
import datetime as dt
import json
from collections.abc import MutableMapping
from typing import Any

import pytest
import trustme
from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError

from lifesign.clock import Clock, FakeClock, SystemClock
from lifesign.core.model import Reason
from lifesign.net import Net
from lifesign.net.failures import NetError
from lifesign.net.settings import BearerToken, SecretHeaders
from lifesign.probes.mcp.client.credentials import (
    ClientCertificate,
    Credentials,
    OAuthClient,
    OptionalOAuthClient,
    audience_of,
    is_credential,
)
from lifesign.probes.mcp.client.expiry import jwt_claims, jwt_expiry, lifetime
from lifesign.probes.mcp.client.oauth import NAMED_METADATA
from lifesign.probes.mcp.client.tokens import Client, token_form, token_headers
from lifesign.probes.mcp.sheet import failed
from lifesign.probes.registry import ProbeContext
from servers.signin import RESOURCE_PATH, SERVER_PATH, Page, SignIn, grant, page

SECRET = "hunter2-hunter2"
NOW = dt.datetime(2026, 11, 20, 12, tzinfo=dt.UTC)


class Settings(BaseModel):
    """The part of a monitor's settings that says who it is."""

    model_config = ConfigDict(frozen=True)

    url: str = "https://a.example/mcp"
    bearer_token: BearerToken = None
    headers: SecretHeaders = Field(default_factory=dict)
    oauth: OptionalOAuthClient = None
    client_certificate: ClientCertificate | None = None
    credential_expires_at: dt.date | None = None
    verify_tls: bool = True
    ca_pem: str | None = None


def at(clock: Clock | None = None, memory: MutableMapping[str, object] | None = None, **net: Any) -> ProbeContext:  # fmt: skip
    deadline = asyncio.get_running_loop().time() + 5
    kept = {} if memory is None else memory
    return ProbeContext(Net.open(**net), clock or SystemClock(), deadline, memory=kept)


def jwt(**claims: object) -> str:
    parts = ({"alg": "none"}, claims)
    texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]  # fmt: skip
    return ".".join((*texts, "c2ln"))


def client(server: SignIn, **more: Any) -> Credentials:
    more = {"token_url": f"{server.base}/token"} | more
    oauth = OAuthClient(client_id="probe", client_secret=SecretStr(SECRET), **more)
    return Credentials.of(Settings(url=server.endpoint, oauth=oauth))


async def authorization(credentials: Credentials, ctx: ProbeContext) -> str:
    return dict(await credentials.headers(ctx))["Authorization"]


async def trouble(credentials: Credentials, ctx: ProbeContext) -> str:
    """The message of the failure that asking for a token ends in."""
    with pytest.raises(NetError) as raised:
        await credentials.headers(ctx)
    failure = raised.value.failure
    assert (failure.layer, failure.code) == ("credential", "refresh_failed")
    assert failure.is_ours
    assert failure.reason is Reason.CREDENTIAL_EXPIRED
    assert failure.remedy
    assert SECRET not in repr(failure)
    return failure.message


# --- what is sent


async def test_a_token_and_headers_are_sent_as_they_were_given():
    settings = Settings(
        bearer_token=SecretStr("abc"), headers={"X-Key": SecretStr("k"), "User-Agent": SecretStr("me")}
    )  # fmt: skip
    credentials = Credentials.of(settings)

    assert credentials.is_set
    assert await credentials.headers(at()) == (("X-Key", "k"), ("Authorization", "Bearer abc"))
    assert await credentials.renewed(at()) is None


def test_headers_that_let_nobody_in_are_no_credential():
    assert not Credentials.of(Settings(headers={"User-Agent": SecretStr("me")})).is_set
    assert not is_credential("Origin")
    assert is_credential("X-Tenant")


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


def test_the_end_of_a_token_is_read_from_it():
    expiry = jwt_expiry(jwt(exp=NOW.timestamp()))

    assert expiry is not None
    assert (expiry.at, expiry.source) == (NOW, "jwt")


@pytest.mark.parametrize(
    "token",
    ["", "abc", "a.b", "a.b.c.d", "a.!!.c", jwt(), jwt(exp="soon"), jwt(exp=True), jwt(exp=1e300), "a." + "e" * 20_000 + ".c"],
)  # fmt: skip
def test_a_token_that_names_no_end_has_none(token):
    assert jwt_expiry(token) is None


def test_claims_are_those_of_the_official_library():
    import jwt as pyjwt

    token = pyjwt.encode({"exp": 4_102_444_800, "sub": "ä"}, "k" * 32, algorithm="HS256")

    assert jwt_claims(token) == pyjwt.decode(token, options={"verify_signature": False})


@pytest.mark.parametrize(
    ("value", "seconds"),
    [(60, 60), ("60", 60), (1.5, 1.5), (-5, 0), (None, None), (True, None), ("soon", None), (float("nan"), None), ("9" * 400, None)],
)  # fmt: skip
def test_lifetimes_are_read_leniently(value, seconds):
    life = lifetime(value)

    assert (life.total_seconds() if life is not None else None) == seconds


@pytest.mark.parametrize(
    ("settings", "source", "left_s"),
    [
        ({"bearer_token": jwt(exp=NOW.timestamp() + 90)}, "jwt", 90.0),
        ({"headers": {"X-Key": jwt(exp=NOW.timestamp() + 90)}}, "jwt", 90.0),
        ({"headers": {"Authorization": f"Bearer {jwt(exp=NOW.timestamp() - 90)}"}}, "jwt", -90.0),
        ({"bearer_token": "opaque", "credential_expires_at": dt.date(2026, 11, 21)}, "entered", 43_200.0),
        ({"bearer_token": jwt(exp=NOW.timestamp() + 90), "credential_expires_at": dt.date(2026, 11, 20)}, "entered", -43_200.0),
        ({"bearer_token": jwt(exp=NOW.timestamp() + 90), "credential_expires_at": dt.date(2027, 1, 1)}, "jwt", 90.0),
    ],
)  # fmt: skip
def test_the_earliest_end_is_told(settings, source, left_s):
    ctx = ProbeContext(Net.open(), FakeClock(NOW), 0.0)
    facts = Credentials.of(Settings(**settings)).facts(ctx)

    assert (facts["credential.source"], facts["credential.expires_in_s"]) == (source, left_s)
    assert dt.datetime.fromisoformat(str(facts["credential.expires_at"])) == NOW + dt.timedelta(seconds=left_s)  # fmt: skip


def certificate(**more: Any) -> ClientCertificate:
    mine = trustme.CA().issue_cert("probe.example", **more)
    return ClientCertificate(
        cert_pem=mine.cert_chain_pems[0].bytes().decode(),
        key_pem=SecretStr(mine.private_key_pem.bytes().decode()),
    )


def test_the_end_of_a_client_certificate_is_told():
    mine = certificate(not_after=dt.datetime(2026, 12, 1, tzinfo=dt.UTC))
    ctx = ProbeContext(Net.open(), FakeClock(NOW), 0.0)
    facts = Credentials.of(Settings(client_certificate=mine)).facts(ctx)

    assert facts["credential.source"] == "certificate"
    assert str(facts["credential.expires_at"]).startswith("2026-12-01T00:00:00")


REFUSALS = [("auth", "token_rejected"), ("auth", "forbidden"), ("auth", "jsonrpc_32001")]


@pytest.mark.parametrize(("layer", "code"), REFUSALS)
@pytest.mark.parametrize(("left_s", "is_blamed"), [(-1, False), (0, False), (1, True)])
def test_a_server_that_refuses_an_expired_credential_is_not_blamed(layer, code, left_s, is_blamed):
    credentials = Credentials.of(Settings(bearer_token=jwt(exp=NOW.timestamp() + left_s)))
    refusal = failed(layer, code, "It was refused.", evidence="HTTP 401")
    told = credentials.excuse(refusal, ProbeContext(Net.open(), FakeClock(NOW), 0.0))

    assert (told is refusal) is is_blamed
    assert told.is_ours is not is_blamed
    assert told.evidence == "HTTP 401"
    if not is_blamed:
        assert (told.layer, told.code) == ("credential", "expired")
        assert "as the token itself says" in told.message


def test_other_trouble_stays_the_servers_own():
    credentials = Credentials.of(Settings(bearer_token=jwt(exp=1)))
    trouble_of_theirs = failed("http", "server_error", "It broke.")

    assert credentials.excuse(trouble_of_theirs, ProbeContext(Net.open(), FakeClock(NOW), 0.0)) is trouble_of_theirs  # fmt: skip


# --- audience


def test_an_audience_is_that_of_the_credential():
    first = audience_of(Settings(bearer_token=SecretStr("one-token")))

    assert len(first) == 8
    assert int(first, 16) >= 0
    assert first == audience_of(Settings(bearer_token=SecretStr("one-token")))
    assert first == audience_of(Settings(headers={"Authorization": SecretStr("Bearer one-token")}))  # fmt: skip
    assert first != audience_of(Settings(bearer_token=SecretStr("two-token")))
    assert audience_of(Settings()) == ""
    assert audience_of(Settings(headers={"User-Agent": SecretStr("me")})) == ""


def test_a_renewed_token_of_the_same_subject_keeps_its_audience():
    tokens = [jwt(sub="probe", iss="as", exp=number) for number in (1, 2)]
    other = jwt(sub="admin", iss="as", exp=2)
    first, again, another = (audience_of(Settings(bearer_token=SecretStr(each))) for each in (*tokens, other))  # fmt: skip

    assert first == again != another


def test_the_order_of_headers_does_not_matter():
    headers = {"X-A": SecretStr("1"), "X-B": SecretStr("2")}

    assert audience_of(Settings(headers=headers)) == audience_of(Settings(headers=dict(reversed(headers.items()))))  # fmt: skip


def test_a_new_secret_of_the_same_client_keeps_its_audience():
    def of(secret: str, scope: str = "") -> str:
        oauth = OAuthClient(client_id="c", client_secret=SecretStr(secret), scope=scope)
        return audience_of(Settings(oauth=oauth))

    assert of("a") == of("b") != of("a", "admin")


# --- settings


@pytest.mark.parametrize(
    "given",
    [
        {"client_id": "", "client_secret": SECRET},
        {"client_id": "c", "client_secret": ""},
        {"client_id": "c", "client_secret": SECRET, "token_url": "http://as.example/token"},
        {"client_id": "c", "client_secret": SECRET, "issuer": "as.example"},
        {"client_id": "c", "client_secret": SECRET, "issuer": "https://a.b", "token_url": "https://a.b/t"},
        {"client_id": "c", "client_secret": SECRET, "scope": 'a "b"'},
        {"client_id": "c", "client_secret": SECRET, "password": SECRET},
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused_without_a_secret(given):
    with pytest.raises(ValidationError) as raised:
        OAuthClient.model_validate(given)

    assert SECRET not in str(raised.value)


def test_a_form_that_was_left_empty_is_no_client():
    assert (
        Settings.model_validate({"oauth": {"auth_method": "basic", "client_id": ""}}).oauth is None
    )


def test_a_certificate_survives_a_form_of_one_line():
    mine = certificate()
    flat = mine.key_pem.get_secret_value().replace("\n", " ")
    read = ClientCertificate(cert_pem=mine.cert_pem.replace("\n", " "), key_pem=SecretStr(flat))

    assert read.key_pem == mine.key_pem


def test_a_certificate_needs_its_own_key():
    mine, other = certificate(), certificate()
    with pytest.raises(ValidationError, match="cannot be used together") as raised:
        ClientCertificate(cert_pem=mine.cert_pem, key_pem=other.key_pem)

    assert "PRIVATE KEY" not in str(raised.value)


# --- nothing leaks


async def test_no_secret_is_shown_by_anything_that_holds_one():
    token = jwt(sub="probe", exp=1)
    mine = certificate()
    async with SignIn() as server:
        server.token = lambda _asked: grant(access_token=token, refresh_token="refresh-4711")
        ctx = at()
        oauth = OAuthClient(client_id="c", client_secret=SecretStr(SECRET), token_url=f"{server.base}/token")  # fmt: skip
        settings = Settings(url=server.endpoint, headers={"X-Key": SecretStr(SECRET)}, oauth=oauth, client_certificate=mine)  # fmt: skip
        credentials = Credentials.of(settings)
        await credentials.headers(ctx)
        refusal = failed("auth", "token_rejected", "It was refused.")
        shown = repr([credentials, ctx.memory, settings, credentials.facts(ctx), credentials.excuse(refusal, ctx)])  # fmt: skip

    for secret in (SECRET, token, "refresh-4711", mine.key_pem.get_secret_value().split("\n")[1]):
        assert secret not in shown
