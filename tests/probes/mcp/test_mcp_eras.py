"""Which era and transport a server speaks: found in the documented order, kept, and looked at again when it must."""

import asyncio

import pytest

from lifesign.clock import SystemClock
from lifesign.net import Net
from lifesign.probes.mcp import MCPSettings, watch
from lifesign.probes.mcp.client.eras import KEEP_S
from lifesign.probes.registry import ProbeContext
from lifesign.testing import Answer, Era, FaultyMCP, Transport, error
from servers.mcp_visit import where


class Later(SystemClock):
    """A clock that can be put on."""

    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


class Watcher:
    """One monitor: its settings, its memory, its clock."""

    def __init__(self, url, **settings):
        self.settings = MCPSettings(url=url, **{"session_calls": 0} | settings)
        self.memory: dict[str, object] = {}
        self.clock = Later()

    async def look(self, *, within=5.0):
        deadline = asyncio.get_running_loop().time() + within
        context = ProbeContext(Net.open(), self.clock, deadline, memory=self.memory)
        return await watch(self.settings, context)


def methods(server):
    return [call.json.get("method", call.method) for call in server.requests]


@pytest.mark.parametrize(
    ("era", "found", "first"),
    [
        ("modern", "modern", ["server/discover", "tools/list"]),
        ("dual", "modern", ["server/discover", "tools/list"]),
        ("legacy", "legacy", ["server/discover", "initialize", "notifications/initialized"]),
    ],
)
async def test_the_era_is_found_and_then_known(era, found, first):
    async with FaultyMCP(era=Era(era)) as server:
        watcher = Watcher(server.url)
        one = await watcher.look()
        asked = methods(server)
        server.requests.clear()
        two = await watcher.look()

    assert (where(one), where(two)) == ("ok", "ok")
    assert one.facts["era"] == two.facts["era"] == found
    assert asked[: len(first)] == first
    assert methods(server)[0] == ("initialize" if found == "legacy" else "server/discover")
    assert server.connections == 2


async def test_the_old_transport_is_found_and_then_known():
    async with FaultyMCP(transport=Transport.SSE) as server:
        watcher = Watcher(server.url)
        one = await watcher.look()
        server.requests.clear()
        two = await watcher.look()

    assert (where(one), where(two)) == ("ok", "ok")
    assert (one.facts["transport"], one.facts["era"]) == ("sse", "legacy")
    assert one.facts["tools.names"] == two.facts["tools.names"]
    assert methods(server)[0] == "GET"


@pytest.mark.parametrize("status", [500, 502, 503, 429])
async def test_an_outage_is_no_verdict_on_the_era(status):
    async with FaultyMCP(era=Era.MODERN, discover=Answer(status)) as server:
        watcher = Watcher(server.url)
        seen = await watcher.look()

    assert seen.failure is not None
    assert seen.failure.layer == "http"
    assert methods(server) == ["server/discover"]
    assert "mcp.dialect" not in watcher.memory


async def test_a_server_that_leaves_discover_unanswered_is_told_and_still_watched():
    async with FaultyMCP(era=Era.LEGACY, discover=Answer(is_silent=True)) as server:
        watcher = Watcher(server.url)
        one = await watcher.look(within=1.0)
        two = await watcher.look(within=1.0)

    assert (where(one), where(two)) == ("ok", "ok")
    assert [finding.code for finding in two.findings if finding.layer == "discover"] == ["hang"]
    assert methods(server).count("server/discover") == 1


async def test_a_server_that_changed_its_era_is_found_out_within_one_probe():
    async with FaultyMCP(era=Era.LEGACY) as server:
        watcher = Watcher(server.url)
        assert (await watcher.look()).facts["era"] == "legacy"
        async with FaultyMCP(era=Era.MODERN) as other:
            watcher.settings = MCPSettings(url=other.url, session_calls=0)
            seen = await watcher.look()

    assert where(seen) == "ok"
    assert seen.facts["era"] == "modern"


async def test_what_was_found_is_looked_at_again_after_a_week():
    async with FaultyMCP(era=Era.LEGACY) as server:
        watcher = Watcher(server.url)
        await watcher.look()
        watcher.clock.ahead_s = KEEP_S + 1
        await watcher.look()

    assert methods(server).count("server/discover") == 2


@pytest.mark.parametrize(
    ("say", "found"),
    [
        (error(-32601, status=404), "ok"),
        (error(-32600, status=400), "ok"),
        (error(-32000, "Bad Request", status=400), "ok"),
        (Answer(405), "ok"),
        (Answer(200, {"Content-Type": "text/html"}, b"<!doctype html><p>hi"), "ok"),
        (Answer(202), "ok"),
        (error(-32022, data={"supported": ["2025-06-18"]}), "ok"),
        (error(-32022, data={"supported": ["2031-01-01"]}, status=400), "discover/unsupported_version"),
        (error(-32020, status=400), "jsonrpc/header_mismatch_32020"),
        (error(-32021, status=400), "jsonrpc/missing_capability_32021"),
    ],
)  # fmt: skip
async def test_every_refusal_of_discover_is_followed_or_told(say, found):
    async with FaultyMCP(era=Era.LEGACY, discover=say) as server:
        seen = await Watcher(server.url).look()

    assert where(seen) == found


async def test_a_retry_after_is_honoured():
    wait = Answer(429, {"Retry-After": "120"})
    async with FaultyMCP(era=Era.LEGACY, initialize=wait) as server:
        watcher = Watcher(server.url, era="legacy")
        one = await watcher.look()
        two = await watcher.look()
        asked = len(server.requests)
        watcher.clock.ahead_s = 121
        await watcher.look()

    assert (where(one), where(two)) == ("http/rate_limited", "http/rate_limited")
    assert (asked, len(server.requests)) == (1, 2)


async def test_a_server_that_does_not_know_ping_has_lost_no_session():
    async with FaultyMCP(era=Era.LEGACY, ping=error(-32601, status=400)) as server:
        seen = await Watcher(server.url, era="legacy", session_calls=2).look()

    assert where(seen) == "ok"
    assert seen.facts["session_calls.answered"] == 2
