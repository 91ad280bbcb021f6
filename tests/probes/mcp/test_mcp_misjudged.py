"""Servers that are well, or ill in another way than it seems: what must not be mistaken for what."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from lifesign.clock import SystemClock
from lifesign.net import Net
from lifesign.probes.mcp import MCPSettings, watch
from lifesign.probes.mcp.patience import retry_after_s
from lifesign.probes.registry import ProbeContext
from lifesign.testing import (
    EVERYTHING,
    Answer,
    Call,
    Era,
    FaultyMCP,
    Transport,
    error,
    events,
    reply,
)
from servers.mcp_visit import probe, where

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("7", 7.0),
        ("\u00b2", 0.0),
        ("\u0663", 0.0),
        ("", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        ("Fri, 20 Nov 2026 12:01:00 GMT", 60.0),
        ("Fri, 20 Nov 2026 12:01:00 -0000", 60.0),
        ("Fri Nov 20 12:01:00 2026", 60.0),
        ("Fri, 20 Nov 2026 12:01:00 +99999999999999999", 0.0),
        ("Fri, 20 Nov 99999999999 12:01:00 GMT", 0.0),
    ],
)
def test_the_wait_that_is_asked_for_is_read_whatever_stands_there(text, seconds):
    assert retry_after_s(text, NOW) == seconds


@pytest.mark.parametrize("status", [500, 502, 400, 404, 406, 418, 429, 503, 200])
async def test_a_session_call_that_goes_wrong_is_never_our_bug(status):
    async with FaultyMCP(ping=Answer(status)) as server:
        observation = await probe(server.url, session_calls=2)

    assert where(observation) in {"ok", "session/session_lost"}


@pytest.mark.parametrize("number", [-32600, -32601, -32602, -32603, -32000, -32001, -32020, 7])
@pytest.mark.parametrize("status", [200, 400, 404, 405])
async def test_a_session_call_that_is_refused_with_an_error_is_never_our_bug(number, status):
    async with FaultyMCP(ping=error(number, "No.", status=status)) as server:
        observation = await probe(server.url, session_calls=1)

    assert where(observation) in {"ok", "session/session_lost", "auth/jsonrpc_32001"}


async def test_a_notification_whose_answer_does_not_end_keeps_nobody_waiting():
    """What is said to a notification is no matter: clients do not read it."""
    async with FaultyMCP(initialized=events(b": hi\n\n", then="hang")) as server:
        observation = await probe(server.url, within=3.0)

    assert where(observation) == "ok"
    assert observation.phases_ms["initialized"] < 1000


async def test_a_media_type_is_read_whatever_its_case():
    def loud(call: Call) -> Answer:
        message = b"data: " + (call.faithful().body or b"") + b"\n\n"
        return Answer(200, {"Content-Type": "Text/Event-Stream; charset=UTF-8"}, message)

    async with FaultyMCP(tools_list=loud) as server:
        assert where(await probe(server.url)) == "ok"


async def test_the_first_look_at_a_modern_server_has_all_the_time_that_there_is():
    def slow(call: Call) -> Answer:
        return replace(call.faithful(), delay=1.2)

    async with FaultyMCP(era=Era.MODERN, tools_list=slow) as server:
        assert where(await probe(server.url, era="auto", within=2.0)) == "ok"


async def test_what_has_no_time_left_is_not_tried_at_all():
    """An informational canary that takes all the time must not make later checks fail."""
    canary = {
        "name": "slow", "tool": "wait", "weight": "informational", "timeout": "30s", "arguments": {}
    }  # fmt: skip
    tool = {
        "name": "wait",
        "inputSchema": {"type": "object"},
        "annotations": {"readOnlyHint": True},
    }
    async with FaultyMCP(tools=[tool], tools_call=Answer(is_silent=True)) as server:
        observation = await probe(server.url, within=2.0, canaries=[canary], session_calls=2)

    assert where(observation) == "ok"
    assert [found.code for found in observation.findings] == ["tool_timeout"]
    assert server.steps[-1] == "delete"


async def test_a_reply_in_the_answer_to_a_message_of_the_old_transport_is_taken():
    """Some servers answer the POST itself although the stream is open."""
    async with DirectSSE() as server:
        observation = await probe(server.url, era="auto", within=3.0)

    assert (where(observation), observation.facts["transport"]) == ("ok", "sse")


class DirectSSE(FaultyMCP):
    """Names an address for messages on its stream, and answers them where they are posted."""

    def __init__(self):
        super().__init__(transport=Transport.SSE)

    def _moved_to_stream(self, call: Call, answer: Answer) -> Answer:  # noqa: ARG002 - the base names it
        return answer


async def test_a_call_that_is_late_on_the_old_transport_leaves_the_stream_for_the_next_one():
    tools = [
        {"name": name, "inputSchema": {"type": "object"}, "annotations": {"readOnlyHint": True}}
        for name in ("late", "quick")
    ]

    def call_tool(call: Call) -> Answer:
        if call.json["params"]["name"] == "late":
            return Answer(202, {}, b"")
        return reply(call, {"content": [{"type": "text", "text": "hi"}]})

    canaries = [
        {"name": "a", "tool": "late", "weight": "informational", "timeout": "1s"},
        {"name": "b", "tool": "quick"},
    ]
    async with FaultyMCP(transport=Transport.SSE, tools=tools, tools_call=call_tool) as server:
        observation = await probe(
            server.url, era="auto", transport="sse", canaries=canaries, within=5.0
        )

    assert where(observation) == "ok"
    assert observation.facts["canary.b.state"] == "up"


@pytest.mark.parametrize("result", [{}, {"resources": None}, {"resources": "all"}, []])
async def test_a_list_that_cannot_be_read_is_no_empty_list(result):
    """Otherwise a server that stumbles once would seem to have taken all its resources back."""
    async with FaultyMCP(
        offer=EVERYTHING, resources_list=lambda call: reply(call, result)
    ) as server:
        observation = await probe(server.url)

    assert observation.surface is None
    assert ("resources", "error") in {(found.layer, found.code) for found in observation.findings}


@pytest.mark.parametrize("step", ["resources_list", "prompts_list"])
async def test_a_list_beside_the_tools_that_hangs_is_told_as_what_it_is(step):
    async with FaultyMCP(offer=EVERYTHING, **{step: Answer(is_silent=True)}) as server:
        observation = await probe(server.url, within=1.0)

    told = {(found.layer, found.code) for found in observation.findings}
    failure = observation.failure
    layer = step.partition("_")[0]
    assert (layer, "hang") in told or (failure and (failure.layer, failure.code) == (layer, "hang"))
    assert observation.surface is None
    assert server.steps[-1] == "delete"


async def test_a_page_that_is_refused_is_no_unknown_list():
    def pages(call: Call) -> Answer:
        if "cursor" in call.json.get("params", {}):
            return error(-32602, "Invalid cursor")(call)
        return reply(call, {"resources": [], "nextCursor": "x"})

    async with FaultyMCP(offer=EVERYTHING, resources_list=pages) as server:
        observation = await probe(server.url)

    assert observation.surface is None
    codes = {found.code for found in observation.findings}
    assert "capability_unanswered" not in codes
    assert "error" in codes


async def test_the_latency_of_a_modern_server_without_tools_is_that_of_its_greeting():
    slow = lambda call: replace(call.faithful(), delay=0.5)  # noqa: E731
    async with FaultyMCP(
        era=Era.MODERN, offer=EVERYTHING, capabilities={"resources": {}}, resources_list=slow
    ) as server:
        observation = await probe(server.url, era="auto")

    assert where(observation) == "ok"
    assert observation.facts["latency_ms"] < 300


async def test_the_time_that_we_wait_for_the_end_of_a_stream_is_not_the_servers():
    def say(call: Call) -> Answer:
        return events(b"data: " + (call.faithful().body or b"") + b"\n\n", then="hang")

    async with FaultyMCP(tools_list=say) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert observation.phases_ms["tools_list"] < 150


async def test_a_resumption_that_is_refused_leaves_the_news_with_the_stream():
    async with FaultyMCP(
        tools_list=events(b"id: 7\ndata:\n\n", then="end"), stream=Answer(405)
    ) as server:
        assert where(await probe(server.url)) == "session/sse_closed"


@pytest.mark.parametrize(("only_reads", "times"), [(True, 2), (False, 1)])
async def test_a_call_that_may_write_is_never_made_twice(only_reads, times):
    """Where a server hangs up on a call, nobody knows whether it was carried out."""
    hints = {"readOnlyHint": only_reads}
    tool = {"name": "do", "inputSchema": {"type": "object"}, "annotations": hints}
    canary = {"name": "a", "tool": "do", "allow_writes": True}
    async with FaultyMCP(tools=[tool], tools_call=Answer(raw=(), then="close")) as server:
        observation = await probe(server.url, canaries=[canary])

    assert where(observation) != "ok"
    assert server.steps.count("tools_call") == times


@pytest.mark.parametrize("step", ["initialize", "tools_list"])
async def test_a_stream_that_is_closed_to_be_polled_is_resumed_until_the_reply_comes(step):
    """A server that works for long may close its stream and be asked again (MCP 2025-11-25, polling)."""
    replies: list[bytes] = []

    def begin(call: Call) -> Answer:
        answer = call.faithful()
        replies.append(b"data: " + (answer.body or b"") + b"\n\n")
        session = {name: each for name, each in answer.headers.items() if "session" in name.lower()}
        stream = {"Content-Type": "text/event-stream", **session}
        return Answer(200, stream, chunks=(b"id: first\nretry: 1\ndata:\n\n",))

    def go_on(call: Call) -> Answer:
        assert call.headers["last-event-id"] == "first"
        assert call.headers["mcp-session-id"] == "session-4711"
        return events(*replies) if call.nth == 4 else events(b": not yet\n\n")

    async with FaultyMCP(**{step: begin}, stream=go_on) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert server.steps.count("stream") == 4
    assert server.steps.count("delete") == 1


class Later(SystemClock):
    ahead_s = 0.0

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead_s


@pytest.mark.parametrize("status", [429, 503])
async def test_a_server_that_asks_us_to_wait_is_left_alone_for_so_long_and_no_longer(status):
    """Its health URLs are another matter: just then they know what is wrong."""

    def busy(call: Call) -> Answer:
        return Answer(status, {"Retry-After": "60"}) if call.nth == 1 else call.faithful()

    memory, clock, seen = {}, Later(), []
    async with FaultyMCP(initialize=busy) as server:
        health = {"name": "h", "url": server.health_url}
        settings = MCPSettings(url=server.url, era="legacy", health=[health])
        for ahead_s in (0.0, 59.0, 61.0):
            clock.ahead_s = ahead_s
            deadline = asyncio.get_running_loop().time() + 5
            context = ProbeContext(Net.open(), clock, deadline, memory=memory)
            observation = await watch(settings, context)
            seen.append((where(observation), server.steps.count("initialize")))
            assert observation.facts["health.h.state"] == "up"

    told = "http/rate_limited" if status == 429 else "http/overloaded"
    assert seen == [(told, 1), (told, 1), ("ok", 2)]


@pytest.mark.parametrize(
    ("versions", "place"),
    [
        (["2025-11-25"], "ok"),
        (["2024-11-05", "2025-06-18"], "ok"),
        (["2027-01-01", "2025-11-25"], "ok"),
        (["2027-01-01"], "discover/unsupported_version"),
        ([], "discover/unsupported_version"),
    ],
)
async def test_a_server_that_discovers_nothing_but_handshakes_is_shaken_hands_with(versions, place):
    """Servers of one SDK know the new question and name the versions of the older era."""
    found = {"supportedVersions": versions, "capabilities": {"tools": {}}}
    async with FaultyMCP(discover=lambda call: reply(call, found)) as server:
        observation = await probe(server.url, era="auto")

    assert where(observation) == place
    assert observation.facts.get("era") == ("legacy" if place == "ok" else None)


async def test_a_server_that_falls_back_to_the_older_era_is_found_there():
    memory, seen = {}, []
    modern, older = (
        FaultyMCP(era=Era.MODERN),
        {"supportedVersions": ["2025-11-25"], "capabilities": {}},
    )
    async with modern:
        port = int(modern.url.split(":")[2].split("/")[0])
        settings = MCPSettings(url=modern.url, session_calls=0)
        seen.append(await _look(settings, memory))
    async with FaultyMCP(port=port, discover=lambda call: reply(call, older)):
        seen.append(await _look(settings, memory))

    assert [(where(each), each.facts.get("era")) for each in seen] == [
        ("ok", "modern"),
        ("ok", "legacy"),
    ]


async def _look(settings, memory):
    deadline = asyncio.get_running_loop().time() + 5
    return await watch(settings, ProbeContext(Net.open(), SystemClock(), deadline, memory=memory))
