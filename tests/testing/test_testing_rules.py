"""The rules of the transport that the shipped server holds its clients to, asked by hand."""

import asyncio
import subprocess
import sys
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lifesign.testing import EVERYTHING, Answer, Call, Era, FaultyMCP, Transport, reply
from lifesign.testing.dialogue import Dialogue
from lifesign.testing.protocol import STEPS

ACCEPT = {"Accept": "application/json, text/event-stream"}
VERSION = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": VERSION,
    "io.modelcontextprotocol/clientCapabilities": {},
}
GREETING = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}}  # fmt: skip


def asked(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


def modern(method: str, **headers: str) -> dict[str, str]:
    return ACCEPT | {"MCP-Protocol-Version": VERSION, "Mcp-Method": method} | headers


async def post(server: FaultyMCP, body: object, headers: dict[str, str]) -> httpx2.Response:
    async with httpx2.AsyncClient() as http:
        return await http.post(server.url, json=body, headers=headers)


@pytest.mark.parametrize(
    ("body", "headers", "status", "number"),
    [
        (asked("server/discover", _meta=META), modern("server/discover"), 200, None),
        (asked("server/discover"), modern("server/discover"), 400, -32602),
        (asked("server/discover", _meta=META), modern("tools/list"), 400, -32020),
        (asked("server/discover", _meta=META), ACCEPT | {"MCP-Protocol-Version": VERSION}, 400, -32020),
        (asked("tools/call", _meta=META, name="echo"), modern("tools/call"), 400, -32020),
        (asked("tools/call", _meta=META, name="echo"), modern("tools/call", **{"Mcp-Name": "=?base64?ZWNobw==?="}), 200, None),
        (asked("no/such", _meta=META), modern("no/such"), 404, -32601),
        (asked("ping", _meta=META), modern("ping"), 404, -32601),
        (asked("initialize", **GREETING), ACCEPT, 400, -32022),
        ([asked("server/discover", _meta=META)], modern("server/discover"), 400, -32600),
    ],
)  # fmt: skip
async def test_the_modern_era_checks_what_every_request_carries(
    body: object, headers: dict[str, str], status: int, number: int | None
) -> None:
    async with FaultyMCP(offer=EVERYTHING, era=Era.MODERN) as server:
        answer = await post(server, body, headers)

    assert answer.status_code == status
    assert answer.json().get("error", {}).get("code") == number


async def test_a_version_of_the_future_is_told_what_is_supported() -> None:
    meta = META | {"io.modelcontextprotocol/protocolVersion": "2099-01-01"}
    headers = modern("server/discover") | {"MCP-Protocol-Version": "2099-01-01"}
    async with FaultyMCP(era=Era.DUAL) as server:
        answer = await post(server, asked("server/discover", _meta=meta), headers)

    assert answer.status_code == 400
    assert answer.json()["error"]["data"] == {"supported": [VERSION], "requested": "2099-01-01"}


async def test_modern_results_say_that_they_are_complete_and_how_long_they_last() -> None:
    async with FaultyMCP(era=Era.MODERN) as server:
        answer = await post(server, asked("tools/list", _meta=META), modern("tools/list"))

    result = answer.json()["result"]
    assert result["resultType"] == "complete"
    assert result["ttlMs"] > 0
    assert result["cacheScope"] == "public"
    assert "mcp-session-id" not in answer.headers


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_the_modern_era_has_no_other_method_than_post(method: str) -> None:
    async with FaultyMCP(era=Era.MODERN) as server, httpx2.AsyncClient() as http:
        answer = await http.request(method, server.url, headers=ACCEPT)

    assert answer.status_code == 405


@pytest.mark.parametrize(
    ("headers", "body", "status"),
    [
        ({"Accept": "application/json"}, None, 406),
        (ACCEPT | {"Content-Type": "text/plain"}, b"{}", 415),
        (ACCEPT | {"Content-Type": "application/json"}, b"{", 400),
        (ACCEPT | {"Origin": "https://evil.example"}, None, 403),
        (ACCEPT | {"Origin": "http://localhost:3000"}, None, 200),
        (ACCEPT | {"MCP-Protocol-Version": "1999-01-01"}, None, 200),
    ],
)
async def test_the_handshake_is_held_to_its_rules(
    headers: dict[str, str], body: bytes | None, status: int
) -> None:
    async with FaultyMCP() as server, httpx2.AsyncClient() as http:
        given: dict[str, Any] = {"content": body} if body else {"json": asked("initialize", **GREETING)}  # fmt: skip
        answer = await http.post(server.url, headers=headers, **given)

    assert answer.status_code == status


async def test_a_session_is_asked_for_known_and_ended() -> None:
    async with FaultyMCP() as server, httpx2.AsyncClient(headers=ACCEPT) as http:
        early = await http.post(server.url, json=asked("tools/list"))
        hello = await http.post(server.url, json=asked("initialize", **GREETING))
        mine = {"Mcp-Session-Id": hello.headers["Mcp-Session-Id"]}
        good = await http.post(server.url, json=asked("tools/list"), headers=mine)
        wrong = await http.post(server.url, json=asked("ping"), headers={"Mcp-Session-Id": "x"})
        stale = await http.post(
            server.url, json=asked("ping"), headers=mine | {"MCP-Protocol-Version": "1999-01-01"}
        )
        await http.delete(server.url, headers=mine)
        ended = await http.post(server.url, json=asked("tools/list"), headers=mine)

    codes = [answer.status_code for answer in (early, hello, good, wrong, stale, ended)]
    assert codes == [400, 200, 200, 404, 400, 404]


async def test_replicas_that_share_nothing_lose_sessions() -> None:
    async with (
        FaultyMCP(replicas=2, shares_sessions=False) as server,
        httpx2.AsyncClient(headers=ACCEPT) as http,
    ):
        hello = await http.post(server.url, json=asked("initialize", **GREETING))
        mine = {"Mcp-Session-Id": hello.headers["Mcp-Session-Id"]}
        looks = [
            (await http.post(server.url, json=asked("ping"), headers=mine)).status_code
            for _ in range(4)
        ]

    assert looks == [404, 200, 404, 200]


async def test_a_server_of_which_one_replica_was_redeployed_answers_in_turn() -> None:
    async with FaultyMCP(session="", replicas=2) as server:
        server.redeploy(tools=[], replica=1)
        counts = [
            len((await post(server, asked("tools/list"), ACCEPT)).json()["result"]["tools"])
            for _ in range(4)
        ]

    assert counts == [1, 0, 1, 0]


async def test_the_old_transport_answers_on_its_stream() -> None:
    async with (
        FaultyMCP(transport=Transport.SSE) as server,
        httpx2.AsyncClient() as http,
        http.stream("GET", server.url) as stream,
    ):
        lines = stream.aiter_lines()
        assert await anext(lines) == "event: endpoint"
        address = (await anext(lines)).removeprefix("data: ")
        answer = await http.post(server.base + address, json=asked("tools/list"))
        found = [await anext(lines) for _ in range(3)]

    assert answer.status_code == 202
    assert '"echo"' in found[2]


async def test_an_unknown_word_is_refused_at_once() -> None:
    with pytest.raises(TypeError, match="tool_list"):
        FaultyMCP(tool_list=Answer(500))
    with pytest.raises(ValueError, match="no fault 'tools/hang'"):
        FaultyMCP("tools/hang")
    with pytest.raises(ValueError, match="fault of a program"):
        FaultyMCP("stdio/exited")


async def test_an_answer_can_follow_from_the_faithful_one() -> None:
    def say(call: Any) -> Answer:
        return reply(call, call.faithful().message["result"] | {"seen": call.nth})

    async with FaultyMCP(session="", tools_list=say) as server:
        first = await post(server, asked("tools/list"), ACCEPT)
        second = await post(server, asked("tools/list"), ACCEPT)

    assert [answer.json()["result"]["seen"] for answer in (first, second)] == [1, 2]
    assert server.steps == ["tools_list", "tools_list"]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
PARAMS = st.dictionaries(
    st.sampled_from(["name", "uri", "cursor", "arguments", "argument", "_meta", "notifications", "protocolVersion"]),
    JSON | st.sampled_from(["echo", "add", "count", "wait", "greet", "lifesign://status"]),
)  # fmt: skip


@given(st.sampled_from([*STEPS, "no/such", ""]), JSON | PARAMS, JSON, st.sampled_from([Era.LEGACY, Era.MODERN]))  # fmt: skip
def test_every_message_is_answered_or_refused(
    method: str, params: object, asked: object, era: Era
) -> None:
    message = {"jsonrpc": "2.0", "id": asked, "method": method, "params": params}

    said = Dialogue(EVERYTHING).answer(message, era).message

    assert said is not None
    assert said["id"] == asked
    assert ("result" in said) is not ("error" in said)


async def test_an_answer_that_cannot_be_made_ends_the_connection() -> None:
    def break_off(_: Call) -> Answer:
        raise ConnectionResetError

    async with FaultyMCP(every=break_off) as server:
        with pytest.raises(httpx2.RemoteProtocolError):
            await post(server, asked("initialize", **GREETING), ACCEPT)


async def test_a_client_that_hangs_up_ends_its_old_session() -> None:
    async with FaultyMCP(transport=Transport.SSE) as server:
        async with httpx2.AsyncClient() as http, http.stream("GET", server.url) as stream:
            lines = stream.aiter_lines()
            assert await anext(lines) == "event: endpoint"
            address = server.base + (await anext(lines)).removeprefix("data: ")
            assert len(server.sessions) == 1
        async with asyncio.timeout(5), httpx2.AsyncClient() as http:
            while (await http.post(address, json=asked("ping"))).status_code != 404:
                continue

    assert server.sessions == []


def test_the_room_stands_on_the_standard_library() -> None:
    code = (
        "import sys; before = set(sys.modules); import lifesign.testing, lifesign.testing.__main__;"
        "names = {name.partition('.')[0] for name in set(sys.modules) - before};"
        "print(sorted(names - set(sys.stdlib_module_names)),"
        " sorted(m for m in sys.modules if m.startswith('lifesign.') and 'testing' not in m))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert said.stdout.strip() == "['lifesign'] []"
