"""How a refusal is judged: what is healthy, what is a finding, what is a failure, and how long a look holds."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping

import pytest

from lifesign.clock import FakeClock
from lifesign.core.model import Failure, Level, Reason
from lifesign.net import Net
from lifesign.net.failures import NetError, net_error
from lifesign.net.http import parse_url
from lifesign.net.tls import TLSOptions
from lifesign.probes.mcp.checks.auth import (
    CERTAIN_AFTER,
    GOOD_FOR_S,
    WARNED_FOR_S,
    Refusal,
    Standing,
    examine_refusal,
    examine_with_credential,
    name_wall,
    standing,
)
from lifesign.probes.mcp.client.answers import Answer
from lifesign.probes.mcp.client.wire import Result, RPCError
from lifesign.probes.mcp.sheet import Sheet, failed
from lifesign.probes.registry import ProbeContext
from servers.signin import RESOURCE_PATH, SERVER_PATH, SignIn, page

CERTIFICATE = TLSOptions(client_cert_pem="certificate", client_key_pem="key")


class Looker:
    """One monitor that looks at one server again and again, on a clock of its own."""

    def __init__(self, server: SignIn, *, tls: TLSOptions | None = None) -> None:
        self.url = parse_url(server.endpoint)
        self.tls = tls or TLSOptions()
        self.clock = FakeClock()
        self.memory: MutableMapping[str, object] = {}
        self.sheet = Sheet()

    def context(self) -> ProbeContext:
        deadline = asyncio.get_running_loop().time() + 5
        return ProbeContext(Net.open(), self.clock, deadline, memory=self.memory)

    async def stranger(self, answer: Answer) -> Failure | None:
        """A probe without a credential that was answered this."""
        self.sheet = Sheet()
        return await examine_refusal(
            answer, url=self.url, sheet=self.sheet, ctx=self.context(), tls=self.tls
        )

    async def known(self, knock: Callable[[], Awaitable[Answer]]) -> Refusal:
        """A probe with a credential, whose stranger's visit is this."""
        self.sheet = Sheet()
        return await examine_with_credential(
            knock, url=self.url, sheet=self.sheet, ctx=self.context(), tls=self.tls
        )

    @property
    def found(self) -> list[tuple[str, Level]]:
        return [(finding.code, finding.level) for finding in self.sheet.findings]

    @property
    def state(self) -> object:
        return self.sheet.facts.get("auth.state")


def refusal(challenge: str = "", status: int = 401, body: bytes = b"{}", **headers: str) -> Answer:
    if challenge:
        headers["www-authenticate"] = challenge
    return Answer(status, headers, body)


def saying(answer: Answer) -> Callable[[], Awaitable[Answer]]:
    async def knock() -> Answer:
        return answer

    return knock


async def never() -> Answer:
    raise AssertionError("Nobody should knock now.")


# --- without a credential


async def test_a_server_that_refuses_properly_is_healthy():
    async with SignIn() as server:
        looker = Looker(server)
        failure = await looker.stranger(refusal(server.challenge))

    assert failure is None
    assert looker.found == [("required", Level.INFO)]
    assert looker.sheet.facts == {
        "auth.state": "required",
        "auth.scheme": "Bearer",
        "auth.scopes": ["mcp:read"],
        "auth.issuer": server.base,
        "auth.resource_metadata": f"{server.base}{RESOURCE_PATH}",
        "auth.s256": True,
        "auth.client_id_metadata": True,
        "auth.registration": True,
        "auth.response_iss": False,
    }


async def test_the_scopes_of_the_challenge_count_more_than_those_of_the_metadata():
    async with SignIn() as server:
        looker = Looker(server)
        await looker.stranger(refusal('Bearer scope="a b"'))

    assert looker.sheet.facts["auth.scopes"] == ["a", "b"]


@pytest.mark.parametrize(
    ("challenge", "code", "words"),
    [
        ("", "bare_401", "without saying how to log in"),
        ("   ", "bare_401", "without saying how to log in"),
        ("???", "challenge_invalid", "cannot be read"),
        ('Basic realm="x"', "challenge_invalid", "with the scheme Basic"),
        ("Negotiate, Digest nonce=1", "challenge_invalid", "with the scheme Negotiate, Digest"),
    ],
)
async def test_a_refusal_that_leads_nowhere_is_a_failure(challenge, code, words):
    async with SignIn() as server:
        server.pages.clear()
        looker = Looker(server)
        failure = await looker.stranger(refusal(challenge))

    assert failure is not None
    assert (failure.layer, failure.code, failure.reason) == ("auth", code, Reason.AUTH_WALLED)
    assert words in failure.message
    assert failure.remedy
    assert failure.evidence
    assert looker.state == "broken"


@pytest.mark.parametrize(("challenge", "code"), [("", "bare_401"), ("Basic", "challenge_invalid")])
async def test_metadata_at_the_usual_place_makes_up_for_a_poor_challenge(challenge, code):
    """Since 2025-11-25 clients look there by themselves; older ones need the challenge."""
    async with SignIn() as server:
        looker = Looker(server)
        failure = await looker.stranger(refusal(challenge))

    assert (failure, looker.state) == (None, "required")
    (finding,) = looker.sheet.findings
    assert (finding.code, finding.level, finding.reason) == (code, Level.WARN, Reason.AUTH_WALLED)


async def test_a_bearer_server_without_metadata_is_a_finding():
    async with SignIn() as server:
        server.pages.clear()
        looker = Looker(server)
        failure = await looker.stranger(refusal('Bearer realm="keys"'))

    assert failure is None
    assert looker.found == [("prm_missing", Level.WARN)]
    assert looker.state == "required"


async def test_the_second_of_two_challenges_may_be_the_one():
    async with SignIn() as server:
        looker = Looker(server)
        failure = await looker.stranger(refusal(f"Negotiate, {server.challenge}"))

    assert (failure, looker.sheet.facts["auth.scheme"]) == (None, "Bearer")
    assert looker.found == [("required", Level.INFO)]


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"resource": "https://b.example", "authorization_servers": ["{base}"]}, "prm_resource_mismatch"),
        ({"resource": "{base}/mcp"}, "prm_invalid"),
    ],
)  # fmt: skip
async def test_metadata_that_no_client_can_use_is_a_failure(document, code):
    async with SignIn() as server:
        server.pages[RESOURCE_PATH] = page(document)
        looker = Looker(server)
        failure = await looker.stranger(refusal(server.challenge))

    assert failure is not None
    assert (failure.layer, failure.code) == ("auth", code)
    assert looker.state == "broken"


@pytest.mark.parametrize(
    ("answer", "layer", "code"),
    [
        (refusal('Bearer error="insufficient_scope"', 403), "auth", "insufficient_scope"),
        (refusal(status=403), "auth", "forbidden"),
        (refusal(status=403, body=b"Invalid Origin header"), "http", "origin_refused"),
        (refusal(status=403, body=b"<html>Just a moment"), "http", "blocked_by_waf"),
    ],
)
async def test_a_403_is_told_by_its_kind(answer, layer, code):
    async with SignIn() as server:
        looker = Looker(server)
        failure = await looker.stranger(answer)

    assert failure is not None
    assert (failure.layer, failure.code) == (layer, code)
    assert server.asked == []


async def test_good_metadata_is_looked_at_once_an_hour():
    async with SignIn() as server:
        looker, looks = Looker(server), []
        for seconds in (0, 60, GOOD_FOR_S - 70, 20):
            looker.clock.advance(seconds)
            assert await looker.stranger(refusal(server.challenge)) is None
            assert looker.state == "required"
            looks.append(len(server.asked))

    assert looks == [2, 2, 2, 4]


async def test_another_challenge_is_looked_at_at_once():
    async with SignIn() as server:
        looker = Looker(server)
        await looker.stranger(refusal(server.challenge))
        await looker.stranger(refusal(server.challenge + ', error="invalid_token"'))

    assert len(server.asked) == 4


async def test_broken_metadata_is_looked_at_every_time_and_forgiven_at_once():
    async with SignIn() as server:
        sound = server.pages.pop(SERVER_PATH)
        looker, codes = Looker(server), []
        for _ in range(3):
            failure = await looker.stranger(refusal(server.challenge))
            codes.append(failure.code if failure else "ok")
        server.pages[SERVER_PATH] = sound
        failure = await looker.stranger(refusal(server.challenge))

    assert codes == ["as_metadata_missing"] * 3
    assert failure is None
    assert looker.state == "required"


async def test_what_strict_clients_mind_is_looked_at_until_it_is_certain_and_then_now_and_again():
    async with SignIn() as server:
        server.pages[RESOURCE_PATH] = page({"resource": "{base}", "authorization_servers": ["{base}"]})  # fmt: skip
        looker, looks = Looker(server), []
        for _ in range(CERTAIN_AFTER + 3):
            await looker.stranger(refusal(server.challenge))
            assert looker.found == [("prm_resource_mismatch", Level.WARN)]
            looks.append(len(server.asked))
        looker.clock.advance(WARNED_FOR_S + 1)
        await looker.stranger(refusal(server.challenge))

    assert looks == [2, 4, 6, 8, 10, 10, 10, 10]
    assert len(server.asked) == 12


# --- with a credential


async def test_a_stranger_who_is_refused_properly_is_asked_about_once_an_hour():
    async with SignIn() as server:
        looker = Looker(server)
        assert await looker.known(saying(refusal(server.challenge))) is Refusal.PROPER
        assert await looker.known(never) is Refusal.PROPER
        assert looker.sheet.facts["auth.issuer"] == server.base
        looker.clock.advance(GOOD_FOR_S + 1)
        with pytest.raises(AssertionError):
            await looker.known(never)


@pytest.mark.parametrize(
    ("answer", "expected", "code"),
    [
        (Answer(reply=Result(b"{}")), Refusal.ADMITTED, "open_to_all"),
        (refusal(), Refusal.IMPROPER, "bare_401"),
        (refusal("Basic"), Refusal.IMPROPER, "challenge_invalid"),
        (Answer(reply=RPCError(-32001, "no")), Refusal.IMPROPER, "jsonrpc_32001"),
        (Answer(reply=RPCError(-32000, "no")), Refusal.IMPROPER, "refused_oddly"),
        (refusal(status=403), Refusal.IMPROPER, "refused_oddly"),
        (refusal(status=404), Refusal.IMPROPER, "refused_oddly"),
        (refusal(status=302), Refusal.IMPROPER, "refused_oddly"),
        (refusal(body=b"<html>Please log in", status=200), Refusal.IMPROPER, "refused_oddly"),
    ],
)
async def test_a_stranger_who_is_not_refused_properly_is_a_finding(answer, expected, code):
    async with SignIn() as server:
        server.pages.clear()
        looker = Looker(server)
        assert await looker.known(saying(answer)) is expected

    assert looker.found == [(code, Level.WARN)]


@pytest.mark.parametrize(
    "answer",
    [
        refusal(status=429),
        refusal(status=503),
        refusal(status=403, body=b"<html>Just a moment"),
        refusal(**{"cf-mitigated": "challenge"}, status=403),
    ],
)
async def test_an_outage_or_a_filter_says_nothing_of_the_refusal(answer):
    async with SignIn() as server:
        looker = Looker(server)
        await looker.known(saying(refusal(server.challenge)))
        looker.clock.advance(GOOD_FOR_S + 1)

        assert await looker.known(saying(answer)) is Refusal.UNSEEN
        assert await looker.known(saying(refusal(server.challenge))) is Refusal.PROPER
    assert looker.found == []


@pytest.mark.parametrize(
    ("tls", "expected"), [(TLSOptions(), Refusal.UNSEEN), (CERTIFICATE, Refusal.PROPER)]
)
async def test_who_shows_no_certificate_is_hung_up_on_properly(tls, expected):
    async def knock() -> Answer:
        raise net_error("tls", "handshake_failed", "The server asks for a client certificate.")

    async with SignIn() as server:
        looker = Looker(server, tls=tls)
        assert await looker.known(knock) is expected
    assert looker.found == []


async def test_broken_metadata_does_not_fail_a_server_that_serves_us():
    async with SignIn() as server:
        del server.pages[SERVER_PATH]
        looker = Looker(server)
        assert await looker.known(saying(refusal(server.challenge))) is Refusal.IMPROPER

    assert looker.found == [("as_metadata_missing", Level.WARN)]


# --- the state

REJECTED = failed("auth", "token_rejected", "No.")
BROKEN_TOOLS = failed("tools_list", "error", "No.")


@pytest.mark.parametrize(
    ("has_credential", "how", "failure", "expected"),
    [
        (False, Refusal.ADMITTED, None, Standing.OPEN),
        (False, Refusal.PROPER, None, Standing.REQUIRED),
        (False, Refusal.IMPROPER, failed("auth", "bare_401", "No."), Standing.BROKEN),
        (False, Refusal.ADMITTED, failed("auth", "tools_walled", "No."), Standing.WALLED),
        (False, Refusal.UNSEEN, failed("auth", "jsonrpc_32001", "No."), Standing.BROKEN),
        (True, Refusal.PROPER, None, Standing.HEALTHY),
        (True, Refusal.UNSEEN, None, Standing.HEALTHY),
        (True, Refusal.ADMITTED, None, Standing.OPEN),
        (True, Refusal.PROPER, BROKEN_TOOLS, Standing.WALLED),
        (True, Refusal.UNSEEN, BROKEN_TOOLS, Standing.BROKEN),
        (True, Refusal.UNSEEN, failed("auth", "forbidden", "No."), Standing.WALLED),
        (True, Refusal.PROPER, failed("auth", "forbidden", "No."), Standing.WALLED),
        (True, Refusal.PROPER, REJECTED, Standing.BROKEN),
        (True, Refusal.IMPROPER, None, Standing.BROKEN),
        (True, Refusal.PROPER, failed("credential", "expired", "No."), Standing.BROKEN),
        (True, Refusal.UNSEEN, net_error("tcp", "refused", "No.").failure, Standing.BROKEN),
    ],
)
def test_the_eight_steps_make_one_state(has_credential, how, failure, expected):
    found = standing(has_credential=has_credential, refusal=how, failure=failure)

    assert found is expected


def test_drift_that_nobody_announced_is_broken():
    found = standing(has_credential=True, refusal=Refusal.PROPER, failure=None, has_drifted=True)

    assert found is Standing.BROKEN


@pytest.mark.parametrize("code", ["required", "bare_401", "challenge_invalid", "jsonrpc_32001"])
def test_a_wall_behind_an_open_handshake_has_its_own_name(code):
    before = failed("auth", code, "`tools/list` was refused.", evidence="HTTP 401")
    walled = name_wall(before, is_greeted=True, has_credential=False)

    assert (walled.layer, walled.code, walled.evidence) == ("auth", "tools_walled", "HTTP 401")
    assert "`tools/list` was refused." in walled.message
    assert name_wall(before, is_greeted=False, has_credential=False) is before
    assert name_wall(before, is_greeted=True, has_credential=True) is before
    assert name_wall(BROKEN_TOOLS, is_greeted=True, has_credential=False) is BROKEN_TOOLS


async def test_network_trouble_of_a_knock_is_no_error():
    async def knock() -> Answer:
        raise NetError(net_error("tcp", "refused", "Refused.").failure)

    async with SignIn() as server:
        looker = Looker(server)
        assert await looker.known(knock) is Refusal.UNSEEN
    assert looker.memory == {}
