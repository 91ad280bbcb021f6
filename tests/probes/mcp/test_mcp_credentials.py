"""Credentials: what is sent, when it is renewed, when it runs out, and that none of it is ever told."""

import datetime as dt
from typing import Any

import pytest
import trustme
from pydantic import SecretStr, ValidationError

from lifesign.clock import FakeClock
from lifesign.net import Net
from lifesign.probes.mcp.client.credentials import (
    ClientCertificate,
    Credentials,
    OAuthClient,
    audience_of,
    is_credential,
)
from lifesign.probes.mcp.client.expiry import jwt_claims, jwt_expiry, lifetime
from lifesign.probes.mcp.settings import MCPSettings
from lifesign.probes.mcp.sheet import failed
from lifesign.probes.registry import ProbeContext
from servers.credentialed import NOW, SECRET, Settings, at, jwt
from servers.signin import SignIn, grant


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


@pytest.mark.parametrize(
    "given",
    [
        {"bearer_token": "a", "oauth": {"client_id": "a", "client_secret": "b"}},
        {"bearer_token": "a", "headers": {"authorization": "Bearer b"}},
    ],
)
def test_two_credentials_at_once_are_refused(given: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match="only one credential can be sent"):
        MCPSettings.model_validate({"url": "http://127.0.0.1/mcp", **given})


def test_a_key_of_another_header_may_stand_beside_a_token() -> None:
    given = {"url": "http://127.0.0.1/mcp", "bearer_token": "a", "headers": {"X-Key": "b"}}

    assert MCPSettings.model_validate(given).bearer_token is not None
