"""The MCP probe against a real socket: the healthy ways, and one test per fault."""

import asyncio
import json
import socket
import time

import pytest

from lifesign.clock import SystemClock
from lifesign.core.model import Level, Observation, Reason
from lifesign.net import Net
from lifesign.probes.mcp import MCPFacts, MCPSettings, watch
from lifesign.probes.mcp.run import MAX_NAMES, MAX_PAGES
from lifesign.probes.registry import ProbeContext, guess_kind, load_kinds
from servers.faulty_mcp import SESSION, TOOL, Answer, Call, FaultyMCP, error, events, reply

NET = Net.open()
TOOLS = tuple(TOOL | {"name": f"tool{number}"} for number in range(7))
GREETING = {
    "protocolVersion": "2025-11-25",
    "capabilities": {"tools": {}},
    "serverInfo": {"name": "faulty", "version": "1.0"},
}
HTML = Answer(200, {"Content-Type": "text/html"}, b"<!doctype html><title>Hello</title>")
ALL_STEPS = ["initialize", "initialized", "tools_list", "delete"]


async def probe(url: str, *, within: float = 5.0, memory=None, **settings) -> Observation:
    deadline = asyncio.get_running_loop().time() + within
    memory = {} if memory is None else memory
    context = ProbeContext(NET, SystemClock(), deadline, memory=memory)
    observation = await watch(MCPSettings(url=url, **settings), context)
    declared = set(names_of(MCPFacts))

    assert set(observation.facts) <= declared
    assert len(observation.failure.evidence.encode()) <= 2048 if observation.failure else True
    return observation


def names_of(model, prefix=""):
    for name, field in model.model_fields.items():
        if hasattr(field.annotation, "model_fields"):
            yield from names_of(field.annotation, f"{prefix}{name}.")
        else:
            yield prefix + name


def where(observation: Observation) -> str:
    failure = observation.failure
    return f"{failure.layer}/{failure.code}" if failure else "ok"


@pytest.mark.parametrize("is_sse", [False, True])
async def test_a_healthy_server_is_told_in_facts_and_phases(is_sse):
    async with FaultyMCP(is_sse=is_sse, tools=TOOLS) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert observation.findings == ()
    phases = ["dns", "tcp", "http", "initialize", "initialized", "tools_list"]
    assert list(observation.phases_ms) == phases
    latency = observation.facts["latency_ms"]
    assert isinstance(latency, float)
    assert {k: v for k, v in observation.facts.items() if k != "latency_ms"} == {
        "http.status": 200,
        "ip": "127.0.0.1",
        "transport": "sse" if is_sse else "json",
        "server.name": "faulty",
        "server.version": "1.0",
        "protocol_version": "2025-11-25",
        "capabilities": ["tools"],
        "session": True,
        "tools.count": 7,
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


@pytest.mark.parametrize(
    "version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25", "2026-07-28"]
)
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
        observation = await probe(server.url, bearer=secret, headers={"X-Key": "another-secret"})

    sent = server.requests[0].headers
    assert (sent["authorization"], sent["x-key"]) == (f"Bearer {secret}", "another-secret")
    assert "[redacted]" in repr(observation)
    assert secret not in repr(observation)
    assert "another-secret" not in repr(observation)


@pytest.mark.parametrize(
    ("step", "say", "expected"),
    [
        ("initialize", Answer(404), "http/not_found"),
        ("initialize", Answer(405), "http/method_not_allowed"),
        ("initialize", Answer(406), "http/client_error"),
        ("initialize", Answer(400), "http/client_error"),
        ("initialize", Answer(429, {"Retry-After": "7"}), "http/rate_limited"),
        ("initialize", Answer(500), "http/server_error"),
        ("initialize", Answer(502), "http/server_error"),
        ("initialize", Answer(503, body=b"<h1>Maintenance</h1>"), "http/maintenance_page"),
        ("initialize", Answer(301, {"Location": "/other"}), "http/moved_redirect"),
        ("initialize", Answer(302, {"Location": "/other"}), "http/moved_redirect"),
        ("initialize", Answer(307, {"Location": "http://[::1]:9/mcp"}), "http/moved_redirect"),
        ("initialize", Answer(307, {"Location": "/mcp"}), "http/moved_redirect"),
        ("initialize", Answer(307), "http/moved_redirect"),
        ("initialize", HTML, "http/html_body"),
        ("initialize", Answer(200, {}, b" <html>"), "http/html_body"),
        ("initialize", Answer(200), "http/empty_body"),
        ("initialize", Answer(202), "http/empty_body"),
        ("initialize", Answer(401), "auth/bare_401"),
        ("initialize", Answer(401, {"WWW-Authenticate": "Bearer x=y"}), "auth/auth_required"),
        ("initialize", Answer(403), "auth/forbidden"),
        ("initialize", error(-32001, "Unauthorized"), "auth/jsonrpc_32001"),
        ("initialize", Answer(200, {}, b"OK"), "jsonrpc/not_json"),
        ("initialize", Answer(200, {}, b'{"jsonrpc":"2.0","id":1,"res'), "jsonrpc/truncated"),
        ("initialize", Answer(200, {}, b"[]"), "jsonrpc/not_jsonrpc"),
        ("initialize", Answer(200, {}, b'{"jsonrpc":"2.0","id":1}'), "jsonrpc/not_jsonrpc"),
        ("initialize", Answer(200, {}, b'{"id":1,"result":{}}'), "jsonrpc/not_jsonrpc"),
        ("initialize", Answer(200, {}, b'{"jsonrpc":"2.0","id":9,"result":{}}'), "jsonrpc/id_mismatch"),
        ("initialize", error(-32700), "jsonrpc/parse_error_32700"),
        ("initialize", error(-32600, status=400), "jsonrpc/invalid_request_32600"),
        ("initialize", error(-32601, status=404), "jsonrpc/method_not_found_32601"),
        ("initialize", error(-32602), "jsonrpc/invalid_params_32602"),
        ("initialize", error(-32603), "jsonrpc/internal_32603"),
        ("initialize", error(-32022, status=400), "initialize/unsupported_version"),
        ("initialize", events(then="end"), "session/sse_closed"),
        ("initialize", events(b": hi\n\n", then="close"), "session/sse_closed"),
        ("initialize", events(b'{"jsonrpc":"2.0"}\n\n'), "session/sse_bad_framing"),
        ("initialize", events(b'data: {"jsonrpc":"2.0"}'), "session/sse_bad_framing"),
        ("initialize", events(b"data: nonsense\n\n"), "jsonrpc/not_json"),
        ("initialized", Answer(400), "initialize/rejected_initialized"),
        ("initialized", Answer(500), "initialize/rejected_initialized"),
        ("initialized", Answer(401), "auth/bare_401"),
        ("initialized", Answer(404), "session/session_lost"),
        ("tools_list", Answer(404), "session/session_lost"),
        ("tools_list", error(-32600, "Missing session ID", status=400), "session/session_lost"),
        ("tools_list", error(-32001, "Session not found"), "session/session_lost"),
        ("tools_list", Answer(401), "auth/bare_401"),
        ("tools_list", Answer(500), "tools_list/error"),
        ("tools_list", error(-32603), "tools_list/error"),
        ("tools_list", error(-32601), "tools_list/error"),
        ("tools_list", HTML, "http/html_body"),
        ("tools_list", lambda call: reply(call, {"tools": {}}), "tools_list/malformed"),
        ("tools_list", lambda call: reply(call, {"tools": [1]}), "tools_list/malformed"),
        (
            "tools_list",
            lambda call: reply(call, {"tools": [TOOL], "nextCursor": "again"}),
            "tools_list/pagination_loop",
        ),
    ],
)  # fmt: skip
async def test_each_fault_has_its_layer_and_code(step, say, expected):
    async with FaultyMCP(**{step: say}) as server:
        observation = await probe(server.url)

    assert where(observation) == expected
    assert observation.failure is not None
    assert observation.failure.remedy
    assert server.url in observation.failure.message
    is_wall = expected.startswith("auth/")
    assert (observation.failure.reason is Reason.AUTH_WALLED) is is_wall


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"protocolVersion": None}, "missing_protocol_version"),
        ({"serverInfo": {}}, "missing_server_info"),
        ({"capabilities": None}, "missing_capabilities"),
        ({"protocolVersion": "1999-01-01"}, "unsupported_version"),
    ],
)
async def test_each_missing_part_of_initialize_has_its_code(change, code):
    async with FaultyMCP(initialize=lambda call: reply(call, GREETING | change)) as server:
        assert where(await probe(server.url)) == f"initialize/{code}"


@pytest.mark.parametrize(
    ("step", "say", "expected"),
    [
        ("initialize", Answer(is_silent=True), "http/first_byte_timeout"),
        ("initialize", Answer(chunks=(b'{"json',), then="hang"), "http/read_timeout"),
        ("initialize", events(b": hi\n\n", then="hang"), "initialize/hang"),
        ("initialize", events(then="comments"), "initialize/hang"),
        ("initialized", Answer(is_silent=True), "initialize/hang"),
        ("tools_list", Answer(is_silent=True), "tools_list/hang"),
        ("tools_list", events(then="comments"), "tools_list/hang"),
    ],
)
async def test_a_hang_ends_with_the_deadline_whatever_keeps_it_alive(step, say, expected):
    async with FaultyMCP(**{step: say}) as server:
        started = time.monotonic()
        observation = await probe(server.url, within=0.4)

    assert where(observation) == expected
    assert observation.failure is not None
    assert observation.failure.reason is Reason.TIMEOUT
    assert time.monotonic() - started < 1.5


async def test_a_stream_that_stays_open_after_its_reply_costs_a_connection_and_nothing_else():
    def say(call: Call) -> Answer:
        body = reply(call, GREETING).body or b""
        return events(b"data: " + body + b"\n\n", then="hang")

    async with FaultyMCP(initialize=say) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert server.connections == 2


async def test_a_wrong_reply_on_an_open_stream_is_named_at_the_deadline():
    odd = b'data: {"jsonrpc":"2.0","id":77,"result":{}}\n\n'
    async with FaultyMCP(initialize=events(odd, then="hang")) as server:
        assert where(await probe(server.url, within=0.4)) == "jsonrpc/id_mismatch"


@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
async def test_an_answer_without_end_is_cut(kind):
    flood = (b"data: " + b"x" * 1_000_000,) * 6
    answer = Answer(headers={"Content-Type": kind}, chunks=flood, then="hang")
    async with FaultyMCP(initialize=answer) as server:
        assert where(await probe(server.url)) == "http/body_too_large"


async def test_a_redirect_that_keeps_the_method_is_followed_and_told():
    def move(call: Call) -> Answer:
        if call.path == "/mcp":
            return Answer(307, {"Location": "/mcp/"})
        return server._faithful(call)

    async with FaultyMCP(initialize=move) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert [finding.code for finding in observation.findings] == ["redirected"]
    assert server.requests[-1].path == "/mcp/"


async def test_endless_pages_are_cut_and_told():
    def endless(call: Call) -> Answer:
        number = call.json["id"]
        return reply(call, {"tools": [TOOL | {"name": f"t{number}"}], "nextCursor": str(number)})

    async with FaultyMCP(tools_list=endless) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert observation.facts["tools.count"] == MAX_PAGES
    assert [finding.code for finding in observation.findings] == ["truncated"]


@pytest.mark.parametrize(
    ("tools", "code"),
    [
        ((), "empty_but_advertised"),
        ((TOOL, TOOL), "duplicate_names"),
        ((TOOL | {"inputSchema": {}},), "malformed"),
        (({"name": "bare"},), "malformed"),
    ],
)
async def test_an_odd_tool_is_a_finding(tools, code):
    async with FaultyMCP(tools=tools) as server:
        observation = await probe(server.url)

    assert where(observation) == "ok"
    assert [(found.level, found.code) for found in observation.findings] == [(Level.WARN, code)]


async def test_a_closed_port_is_refused():
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{held.getsockname()[1]}/mcp"

        observation = await probe(url)

    assert where(observation) == "tcp/refused"
    assert list(observation.phases_ms) == ["dns", "tcp"]


async def test_a_plain_port_asked_for_tls_fails_at_tls():
    async with FaultyMCP() as server:
        observation = await probe(server.url.replace("http:", "https:"), within=1.0)

    assert observation.failure is not None
    assert observation.failure.layer == "tls"


async def test_the_plan_is_made_once_per_settings():
    memory: dict[str, object] = {}
    async with FaultyMCP() as server:
        settings = MCPSettings(url=server.url)
        deadline = asyncio.get_running_loop().time() + 5
        for _ in range(2):
            context = ProbeContext(NET, SystemClock(), deadline, memory=memory)
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
        {"bearer": "a\nb"},
        {"protocol_version": "new"},
        {"ca_pem": "nonsense"},
        {"colour": "red"},
    ],
)
def test_settings_that_cannot_work_are_refused(bad):
    with pytest.raises(ValueError, match=next(iter(bad))):
        MCPSettings.model_validate({"url": "https://example.com/mcp"} | bad)


async def test_the_old_transport_is_recognised_by_its_path():
    async with FaultyMCP(initialize=Answer(405)) as server:
        observation = await probe(server.url.replace("/mcp", "/sse"))

    assert observation.failure is not None
    assert "Streamable HTTP" in observation.failure.remedy


async def test_a_cancelled_probe_stops_at_once():
    async with FaultyMCP(initialize=Answer(is_silent=True)) as server:
        task = asyncio.create_task(probe(server.url))
        await server.asked.wait()
        started = time.monotonic()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert time.monotonic() - started < 1
