"""The MCP probe against servers that are not ours, and over TLS."""

import asyncio
import ssl

import pytest
import trustme

from lifesign.clock import SystemClock
from lifesign.net import Net
from lifesign.probes.mcp import MCPSettings, watch
from lifesign.probes.registry import ProbeContext, load_kinds
from servers.faulty_mcp import FaultyMCP
from servers.sdk_mcp import sdk_server


async def probe(**settings):
    deadline = asyncio.get_running_loop().time() + 10
    return await watch(MCPSettings(**settings), ProbeContext(Net.open(), SystemClock(), deadline))


@pytest.mark.slow
@pytest.mark.parametrize("is_stateless", [True, False])
@pytest.mark.parametrize("era", ["auto", "legacy"])
async def test_the_official_server_is_healthy(is_stateless, era):
    async with sdk_server(is_stateless=is_stateless) as url:
        observation = await probe(url=url, era=era)

    assert observation.failure is None
    assert observation.findings == ()
    assert {name: observation.facts[name] for name in ("server.name", "server.version")} == {
        "server.name": "oracle",
        "server.version": "7.1",
    }
    assert observation.facts["tools.names"] == ["add", "shout"]
    assert observation.facts["era"] == ("modern" if era == "auto" else "legacy")
    assert observation.facts["session"] is (era == "legacy" and not is_stateless)
    assert observation.facts["framing"] == ("json" if is_stateless or era == "auto" else "sse")


@pytest.fixture(scope="module")
def authority():
    return trustme.CA()


def server_context(authority, *names) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return context


async def test_a_private_authority_is_trusted_when_it_is_given(authority):
    pem = authority.cert_pem.bytes().decode()
    async with FaultyMCP(tls=server_context(authority, "127.0.0.1")) as server:
        observation = await probe(url=server.url, ca_pem=pem)

    assert observation.failure is None
    assert list(observation.phases_ms)[:4] == ["dns", "tcp", "tls", "http"]
    assert observation.facts["tls.verified"] is True
    kind = load_kinds()["mcp"]
    assert kind.implied(MCPSettings(url=server.url)) == ("warn: tls.days_left > 14",)


@pytest.mark.parametrize(
    ("names", "is_known", "code"),
    [(["127.0.0.1"], False, "untrusted_chain"), (["other.example"], True, "host_mismatch")],
)
async def test_a_bad_certificate_fails_at_tls_and_is_still_told(authority, names, is_known, code):
    pem = (authority if is_known else trustme.CA()).cert_pem.bytes().decode()
    async with FaultyMCP(tls=server_context(authority, *names)) as server:
        observation = await probe(url=server.url, ca_pem=pem)

    assert observation.failure is not None
    assert observation.failure.layer == "tls"
    assert observation.failure.code in {code, "incomplete_chain"}
    assert "tls.days_left" in observation.facts
    assert "http" not in observation.phases_ms


async def test_verification_can_be_turned_off(authority):
    async with FaultyMCP(tls=server_context(authority, "other.example")) as server:
        observation = await probe(url=server.url, verify_tls=False)

    assert observation.failure is None
    assert observation.facts["tls.verified"] is False
