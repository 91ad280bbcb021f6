"""The MCP probe against a real socket: the healthy ways, and what its settings do."""

import asyncio
import json
import time

import pytest

from lifesign.clock import SystemClock
from lifesign.net import Net
from lifesign.probes.mcp import MCPSettings, watch
from lifesign.probes.mcp.checks.surface import MAX_NAMES
from lifesign.probes.registry import ProbeContext, guess_kind, load_kinds
from servers.faulty_mcp import SESSION, TOOL, Answer, Call, FaultyMCP, error
from servers.mcp_visit import probe, where

TOOLS = tuple(TOOL | {"name": f"tool{number}"} for number in range(7))
ALL_STEPS = ["initialize", "initialized", "tools_list", "delete"]


@pytest.mark.parametrize("is_sse", [False, True])
async def test_a_healthy_server_is_told_in_facts_and_phases(is_sse):
    async with FaultyMCP(is_sse=is_sse, tools=TOOLS) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert observation.findings == ()
    phases = ["dns", "tcp", "http", "jsonrpc", "initialize", "version", "initialized", "tools_list"]
    assert list(observation.phases_ms) == [*phases, "shape"]
    latency = observation.facts["latency_ms"]
    assert isinstance(latency, float)
    told = {k: v for k, v in observation.facts.items() if not k.startswith(("surface.", "tools.b"))}
    assert {k: v for k, v in told.items() if not k.endswith("_ms")} == {
        "http.status": 200,
        "ip": "127.0.0.1",
        "era": "legacy",
        "transport": "http",
        "framing": "sse" if is_sse else "json",
        "server.name": "faulty",
        "server.version": "1.0",
        "protocol_version": "2025-11-25",
        "capabilities": ["tools"],
        "session": True,
        "auth.state": "open",
        "tools.count": 7,
        "tools.pages": 1,
        "tools.names": [tool["name"] for tool in TOOLS],
    }


@pytest.mark.parametrize("is_sse", [False, True])
async def test_one_connection_carries_the_session_from_hello_to_goodbye(is_sse):
    async with FaultyMCP(is_sse=is_sse) as server:
        await probe(server.url)

    assert (server.steps, server.connections) == (ALL_STEPS, 1)
    first, *later = server.requests
    assert "mcp-session-id" not in first.headers
    assert {call.headers["mcp-session-id"] for call in later} == {SESSION}
    assert {call.headers["mcp-protocol-version"] for call in later} == {"2025-11-25"}
    assert {call.headers["accept"] for call in server.requests} == {
        "application/json, text/event-stream"
    }
    assert first.json["params"]["clientInfo"]["name"] == "lifesign-probe"


async def test_a_stateless_server_is_left_without_a_goodbye():
    async with FaultyMCP(session="") as server:
        observation = await probe(server.url)

    assert observation.facts["session"] is False
    assert server.steps == ALL_STEPS[:-1]


async def test_a_server_that_closes_after_each_answer_is_reconnected():
    def close(call: Call) -> Answer:
        answer = server._faithful(call)
        headers = dict(answer.headers) | {"Connection": "close"}
        return Answer(answer.status, headers, answer.body, close_after=True)

    async with FaultyMCP(initialize=close, initialized=close, tools_list=close) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert server.connections == 4


async def test_a_server_that_closes_without_a_word_is_reconnected():
    def close(call: Call) -> Answer:
        answer = server._faithful(call)
        return Answer(answer.status, answer.headers, answer.body, close_after=True)

    async with FaultyMCP(initialize=close, initialized=close) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert server.connections == 3


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
async def test_every_published_version_is_accepted(version):
    async with FaultyMCP(version=version) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert observation.facts["protocol_version"] == version
    assert server.requests[-1].headers["mcp-protocol-version"] == version


async def test_the_version_to_ask_for_can_be_set():
    async with FaultyMCP() as server:
        observation = await probe(server.url, protocol_version="2025-03-26")

    assert observation.facts["protocol_version"] == "2025-03-26"


async def test_a_refused_version_is_replaced_by_one_that_the_server_names():
    def say(call: Call) -> Answer:
        if call.json["params"]["protocolVersion"] == "2025-11-25":
            return error(-32602, data={"supported": ["2025-06-18"]})(call)
        return server._faithful(call)

    async with FaultyMCP(initialize=say) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert observation.facts["protocol_version"] == "2025-06-18"


async def test_tools_are_read_page_by_page():
    async with FaultyMCP(tools=TOOLS, page_size=3) as server:
        observation = await probe(server.url)

    assert observation.facts["tools.count"] == 7
    assert [call.json["params"] for call in server.requests if call.step == "tools_list"] == [
        {},
        {"cursor": "3"},
        {"cursor": "6"},
    ]


async def test_tool_names_are_bounded():
    tools = tuple(TOOL | {"name": f"{number}-" + "x" * 300} for number in range(MAX_NAMES + 50))
    async with FaultyMCP(tools=tools, page_size=1000) as server:
        observation = await probe(server.url)

    names = observation.facts["tools.names"]
    assert isinstance(names, list)
    assert observation.facts["tools.count"] == MAX_NAMES + 50
    assert (len(names), max(map(len, names))) == (MAX_NAMES, 100)


async def test_tools_are_not_asked_for_when_they_are_not_declared():
    async with FaultyMCP(capabilities={"prompts": {}}) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert "tools_list" not in observation.phases_ms
    assert "tools_list" not in server.steps


async def test_a_session_is_closed_although_the_probe_failed():
    async with FaultyMCP(tools_list=Answer(500)) as server:
        await probe(server.url)

    assert server.steps == ALL_STEPS


async def test_a_session_is_closed_although_the_tool_list_hangs():
    async with FaultyMCP(tools_list=Answer(is_silent=True)) as server:
        observation = await probe(server.url, within=1.0)

    assert where(observation) == "tools_list/hang"
    assert server.steps == ALL_STEPS


@pytest.mark.parametrize("status", [200, 404, 405, 500])
async def test_the_answer_to_a_goodbye_does_not_matter(status):
    async with FaultyMCP(delete=Answer(status)) as server:
        assert where(await probe(server.url)) == "ok"


async def test_a_goodbye_that_hangs_ends_with_the_deadline():
    async with FaultyMCP(delete=Answer(is_silent=True)) as server:
        started = time.monotonic()
        observation = await probe(server.url, within=0.5)

    assert where(observation) == "ok"
    assert time.monotonic() - started < 2


async def test_credentials_are_sent_and_never_told():
    secret = "very-secret-token"

    def echo(call: Call) -> Answer:
        body = json.dumps(dict(call.headers)).encode()
        return Answer(500, {"Content-Type": "application/json"}, body)

    async with FaultyMCP(initialize=echo) as server:
        observation = await probe(
            server.url, bearer_token=secret, headers={"X-Key": "another-secret"}
        )

    sent = server.requests[0].headers
    assert (sent["authorization"], sent["x-key"]) == (f"Bearer {secret}", "another-secret")
    assert "[redacted]" in repr(observation)
    assert secret not in repr(observation)
    assert "another-secret" not in repr(observation)


async def test_the_plan_is_made_once_per_settings():
    memory: dict[str, object] = {}
    async with FaultyMCP() as server:
        settings = MCPSettings(url=server.url, era="legacy")
        deadline = asyncio.get_running_loop().time() + 5
        for _ in range(2):
            context = ProbeContext(Net.open(), SystemClock(), deadline, memory=memory)
            await watch(settings, context)
            first = memory.setdefault("first", memory["mcp.plan"])

    assert memory["mcp.plan"] is first


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("https://example.com/mcp", "https://example.com/mcp"),
        ("http://localhost:3000/api/mcp/", "http://localhost:3000/api/mcp/"),
        ("https://mcp.example.com/", "https://mcp.example.com/"),
        ("https://example.com/sse", "https://example.com/sse"),
        ("example.com/mcp", "https://example.com/mcp"),
        ("127.0.0.1:8000/mcp", "http://127.0.0.1:8000/mcp"),
    ],
)
def test_a_text_that_names_mcp_is_guessed(text, url):
    found = guess_kind(load_kinds(), text)

    assert found is not None
    assert (found[0].name, found[1]) == ("mcp", {"url": url})


@pytest.mark.parametrize(
    "text",
    ["https://example.com/", "example.com:443", "https://example.com/mcp.html", "mcp", "ftp://a/mcp",
     "a b/mcp", "https://example.com/?q=mcp"],
)  # fmt: skip
def test_other_texts_are_not_mcp(text):
    assert load_kinds()["mcp"].guess(text) is None


@pytest.mark.parametrize(
    "bad",
    [
        {"url": "ftp://example.com/mcp"},
        {"url": "https://user:pw@example.com/mcp"},
        {"headers": {"Bad Name": "x"}},
        {"headers": {"Accept": "x"}},
        {"headers": {"X": "a\r\nb"}},
        {"bearer_token": "a\nb"},
        {"protocol_version": "new"},
        {"ca_pem": "nonsense"},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        MCPSettings.model_validate({"url": "https://example.com/mcp"} | bad)
