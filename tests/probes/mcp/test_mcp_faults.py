"""The MCP probe against a faulty server: one test per fault, each with its own layer and code."""

import asyncio
import socket
import time

import pytest

from lifesign.core.model import Level, Reason
from lifesign.probes.mcp.checks.lists import MAX_PAGES
from servers.faulty_mcp import TOOL, Answer, Call, FaultyMCP, error, events, reply
from servers.mcp_visit import GREETING, probe, where

HTML = Answer(200, {"Content-Type": "text/html"}, b"<!doctype html><title>Hello</title>")


@pytest.mark.parametrize(
    ("step", "say", "expected"),
    [
        ("initialize", Answer(404), "http/not_found"),
        ("initialize", Answer(405), "http/method_not_allowed"),
        ("initialize", Answer(406), "http/not_acceptable"),
        ("initialize", Answer(400), "http/client_error"),
        ("initialize", Answer(429, {"Retry-After": "7"}), "http/rate_limited"),
        ("initialize", Answer(500), "http/server_error"),
        ("initialize", Answer(502), "http/gateway_error"),
        ("initialize", Answer(503, body=b"<h1>Maintenance</h1>"), "http/maintenance_page"),
        ("initialize", Answer(301, {"Location": "/other"}), "http/redirect_breaks_post"),
        ("initialize", Answer(302, {"Location": "/other"}), "http/redirect_breaks_post"),
        ("initialize", Answer(307, {"Location": "http://[::1]:9/mcp"}), "http/moved_redirect"),
        ("initialize", Answer(307, {"Location": "/mcp"}), "http/redirect_loop"),
        ("initialize", Answer(307), "http/moved_redirect"),
        ("initialize", HTML, "http/html_body"),
        ("initialize", Answer(200, {}, b" <html>"), "http/html_body"),
        ("initialize", Answer(200), "http/empty_body"),
        ("initialize", Answer(202), "http/empty_body"),
        ("initialize", Answer(401), "auth/bare_401"),
        ("initialize", Answer(403), "auth/forbidden"),
        ("initialize", error(-32001, "Unauthorized"), "auth/jsonrpc_32001"),
        ("initialize", Answer(200, {}, b"OK"), "jsonrpc/not_json"),
        ("initialize", Answer(200, {}, b'{"jsonrpc":"2.0","id":1,"res'), "jsonrpc/truncated"),
        ("initialize", Answer(200, {}, b"[]"), "jsonrpc/batch"),
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
        ("initialized", Answer(404), "session/session_rejected"),
        ("tools_list", Answer(404), "session/session_lost"),
        ("tools_list", error(-32600, "Missing session ID", status=400), "session/session_lost"),
        ("tools_list", error(-32001, "Session not found"), "session/session_lost"),
        ("tools_list", Answer(401), "auth/tools_walled"),
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
    assert [finding.code for finding in observation.findings] == ["moved_redirect"]
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
        ((TOOL | {"inputSchema": {}},), "schema_invalid"),
        (({"name": "bare"},), "schema_invalid"),
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
