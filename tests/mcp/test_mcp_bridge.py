"""The bridge from lines to `/mcp`, against our own face and against a server that we did not write."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from asgi_server import serving
from lifesign.clock import FakeClock
from lifesign.config import Config
from lifesign.mcp.bridge import Bridge
from lifesign.mcp.http import mcp_app
from lifesign.service.services import Services
from mcp_desk import OPERATOR
from servers.sdk_mcp import sdk_server

INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}
INITIALIZED = {"jsonrpc": "2.0", "method": "notifications/initialized"}
MODERN = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientCapabilities": {},
}


async def carry(url: str, *messages: object, token: str = OPERATOR) -> list[dict[str, Any]]:
    """What comes back for these lines, by id."""
    written: list[dict[str, Any]] = []

    async def lines() -> AsyncIterator[bytes]:
        for message in messages:
            yield message if isinstance(message, bytes) else json.dumps(message).encode() + b"\n"

    async def write(line: bytes) -> None:
        assert b"\n" not in line
        written.append(json.loads(line))

    headers = {"Authorization": f"Bearer {token}"}
    async with httpx2.AsyncClient(headers=headers, trust_env=False) as http:
        await Bridge(http, url, write).run(lines())
    return sorted(written, key=lambda message: str(message.get("id")))


def request(id: int, method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": id, "method": method, "params": params}


async def test_a_whole_conversation_of_the_handshake_era(
    services: Services, clock: FakeClock
) -> None:
    async with (
        mcp_app(services, config=Config(), clock=clock) as app,
        serving(Starlette(routes=[Route("/mcp", app)])) as url,
    ):
        answers = await carry(
            f"{url}/mcp",
            INITIALIZE,
            INITIALIZED,
            request(2, "tools/list"),
            request(3, "tools/call", name="pause_monitor", arguments={"monitor_id": "shop-1"}),
            request(4, "no/such/method"),
        )

    assert answers[0]["result"]["protocolVersion"] == "2025-11-25"
    assert len(answers[1]["result"]["tools"]) == 9
    assert answers[2]["result"]["structuredContent"]["monitor"]["state"] == "paused"
    assert answers[3]["error"]["code"] == -32601


async def test_a_whole_conversation_of_the_modern_era(services: Services, clock: FakeClock) -> None:
    async with (
        mcp_app(services, config=Config(), clock=clock) as app,
        serving(Starlette(routes=[Route("/mcp", app)])) as url,
    ):
        answers = await carry(
            f"{url}/mcp",
            request(1, "server/discover", _meta=MODERN),
            request(2, "tools/call", name="list_alerts", arguments={"limit": 5}, _meta=MODERN),
            request(3, "no/such/method", _meta=MODERN),
            request(4, "tools/list", _meta=MODERN | {next(iter(MODERN)): "2031-01-01"}),
        )

    assert "2026-07-28" in answers[0]["result"]["supportedVersions"]
    assert answers[1]["result"]["structuredContent"]["alerts"][0]["id"] == "alr_1"
    assert answers[2]["error"]["code"] == -32601
    assert (answers[3]["id"], answers[3]["error"]["code"]) == (4, -32022)


@pytest.mark.parametrize("is_stateless", [True, False])
async def test_a_server_with_sessions_and_event_streams(is_stateless: bool) -> None:
    async with sdk_server(is_stateless=is_stateless) as url:
        answers = await carry(
            url,
            INITIALIZE,
            INITIALIZED,
            request(2, "tools/call", name="add", arguments={"a": 2, "b": 3}),
        )

    assert answers[1]["result"]["structuredContent"] == {"result": 5}


async def test_a_line_that_is_no_message_is_answered_and_the_rest_goes_on(
    services: Services, clock: FakeClock
) -> None:
    async with (
        mcp_app(services, config=Config(), clock=clock) as app,
        serving(Starlette(routes=[Route("/mcp", app)])) as url,
    ):
        answers = await carry(
            f"{url}/mcp", b"{oops\n", b"[1]\n", b"\n", request(2, "ping", _x="\u2028é")
        )

    assert [a.get("error", {}).get("code") for a in answers] == [None, -32700, -32700]


async def test_a_refused_token_becomes_an_error_for_the_request(
    services: Services, clock: FakeClock
) -> None:
    async with (
        mcp_app(services, config=Config(), clock=clock) as app,
        serving(Starlette(routes=[Route("/mcp", app)])) as url,
    ):
        answers = await carry(f"{url}/mcp", INITIALIZE, token="lsn_user_wrong")

    assert answers[0]["id"] == 1
    assert "LIFESIGN_TOKEN" in answers[0]["error"]["message"]


async def test_a_daemon_that_is_gone_becomes_an_error_for_the_request() -> None:
    answers = await carry("http://127.0.0.1:9/mcp", INITIALIZE, INITIALIZED)

    assert "Is `lifesign serve` running?" in answers[0]["error"]["message"]


async def test_an_answer_that_breaks_off_becomes_an_error_for_the_request() -> None:
    async def broken(_request: Request) -> Response:
        async def events() -> AsyncIterator[bytes]:
            yield b'data: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n'

        return StreamingResponse(events(), media_type="text/event-stream")

    app = Starlette(routes=[Route("/mcp", broken, methods=["POST"])])
    async with serving(app) as url:
        answers = await carry(f"{url}/mcp", request(5, "tools/list"))

    assert {a.get("method", "") for a in answers} == {"", "notifications/progress"}
    assert [a["error"]["message"] for a in answers if a.get("id") == 5] == [
        "The daemon ended the answer half-way."
    ]


async def test_a_modern_cancellation_ends_the_exchange_and_is_not_posted() -> None:
    arrived, gone = asyncio.Event(), asyncio.Event()
    methods: list[str] = []

    async def hanging(request: Request) -> Response:
        methods.append((await request.json())["method"])
        arrived.set()
        while not await request.is_disconnected():  # noqa: ASYNC110 - starlette offers no event
            await asyncio.sleep(0.01)
        gone.set()
        return JSONResponse({})

    async def lines() -> AsyncIterator[bytes]:
        yield json.dumps(request(9, "tools/call", name="x", _meta=MODERN)).encode()
        await arrived.wait()
        cancel = {
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": 9},
        }
        yield json.dumps(cancel).encode()
        await gone.wait()

    written: list[bytes] = []

    async def write(line: bytes) -> None:
        written.append(line)

    app = Starlette(routes=[Route("/mcp", hanging, methods=["POST"])])
    async with serving(app) as url, httpx2.AsyncClient(trust_env=False) as http:
        await Bridge(http, f"{url}/mcp", write).run(lines())

    assert (methods, written) == (["tools/call"], [])


async def test_headers_say_what_the_modern_transport_asks_for() -> None:
    seen: list[dict[str, str]] = []

    async def record(request: Request) -> Response:
        seen.append(dict(request.headers))
        return JSONResponse({"jsonrpc": "2.0", "id": (await request.json())["id"], "result": {}})

    app = Starlette(routes=[Route("/mcp", record, methods=["POST"])])
    async with serving(app) as url:
        await carry(f"{url}/mcp", request(1, "tools/call", name="prüfung", _meta=MODERN))

    assert seen[0]["mcp-protocol-version"] == "2026-07-28"
    assert seen[0]["mcp-method"] == "tools/call"
    assert seen[0]["mcp-name"] == "=?base64?cHLDvGZ1bmc=?="
