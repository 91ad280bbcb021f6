"""`/mcp` over real sockets: doors, tokens, both eras."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest
from mcp.client.streamable_http import streamable_http_client
from mcp.types import CallToolResult
from starlette.applications import Starlette
from starlette.routing import Route

from asgi_server import serving
from lifesign.clock import FakeClock
from lifesign.config import Config
from lifesign.mcp.http import mcp_app
from lifesign.service.services import Services
from mcp import Client
from mcp_desk import OPERATOR, READER, Desk

LIST = {"jsonrpc": "2.0", "id": 7, "method": "tools/list"}
JSON = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}


@asynccontextmanager
async def face(services: Services, clock: FakeClock, **config: Any) -> AsyncIterator[str]:
    """The address of `/mcp` on a real server."""
    async with (
        mcp_app(services, config=Config(**config), clock=clock) as app,
        serving(Starlette(routes=[Route("/mcp", app)])) as url,
    ):
        yield f"{url}/mcp"


async def post(url: str, message: object, *, token: str = OPERATOR, **headers: str) -> Any:
    said = JSON | ({"Authorization": f"Bearer {token}"} if token else {}) | headers
    async with httpx2.AsyncClient(trust_env=False) as http:
        return await http.post(url, content=json.dumps(message), headers=said)


async def ask(
    url: str, mode: str, work: Callable[[Client], Awaitable[Any]], *, token: str = OPERATOR
) -> Any:
    """Connect with the SDK's client in one era and do the work."""
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        httpx2.AsyncClient(headers=headers, trust_env=False) as http,
        Client(streamable_http_client(url, http_client=http), mode=mode) as client,
    ):
        return await work(client)


def call(name: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": name}}


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_an_assistant_of_either_era_lists_and_calls(
    services: Services, clock: FakeClock, mode: str
) -> None:
    async def work(client: Client) -> tuple[int, CallToolResult]:
        tools = (await client.list_tools()).tools
        return len(tools), await client.call_tool("pause_monitor", {"monitor_id": "shop-1"})

    async with face(services, clock) as url:
        count, result = await ask(url, mode, work)

    assert count == 9
    assert result.structured_content is not None
    assert result.structured_content["monitor"]["state"] == "paused"


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_each_caller_acts_under_its_own_name(
    services: Services, clock: FakeClock, desk: Desk, mode: str
) -> None:
    async def work(client: Client) -> Any:
        return await client.call_tool("acknowledge_alert", {"alert_id": "alr_1"})

    async with face(services, clock) as url:
        await asyncio.gather(
            ask(url, mode, lambda client: client.list_tools(), token=READER),
            ask(url, mode, work),
        )

    assert desk.alert_items[0].acknowledged_by == "operator"


class TestTokens:
    async def test_without_one_it_is_401_with_a_bare_challenge(
        self, services: Services, clock: FakeClock
    ) -> None:
        async with face(services, clock) as url:
            response = await post(url, LIST, token="")

        assert response.status_code == 401
        assert response.headers["www-authenticate"] == 'Bearer realm="lifesign", scope="read"'
        assert "lifesign token create" in response.json()["error_description"]

    async def test_a_wrong_one_is_401_invalid_token(
        self, services: Services, clock: FakeClock
    ) -> None:
        async with face(services, clock) as url:
            response = await post(url, LIST, token="lsn_user_wrong")

        assert response.status_code == 401
        assert 'error="invalid_token"' in response.headers["www-authenticate"]
        assert "lsn_user_wrong" not in response.text

    async def test_a_call_beyond_the_grant_is_403_insufficient_scope(
        self, services: Services, clock: FakeClock, desk: Desk
    ) -> None:
        async with face(services, clock) as url:
            response = await post(url, call("pause_monitor"), token=READER)

        assert response.status_code == 403
        assert 'error="insufficient_scope"' in response.headers["www-authenticate"]
        assert 'scope="read operate"' in response.headers["www-authenticate"]
        assert response.json()["id"] == 7
        assert "--grant operate" in response.json()["error"]["message"]
        assert not desk.items[0].paused

    async def test_a_reader_may_call_what_reads(self, services: Services, clock: FakeClock) -> None:
        async with face(services, clock) as url:
            response = await post(url, call("get_health"), token=READER)

        assert response.status_code == 200
        assert response.json()["result"]["structuredContent"]["status"] == "ok"


class TestDoors:
    @pytest.mark.parametrize(
        ("host", "status"),
        [
            ("localhost:8080", 200),
            ("127.0.0.1", 200),
            ("[::1]:8080", 200),
            ("status.example.org", 200),
            ("STATUS.example.org:443", 200),
            ("evil.example", 421),
            ("localhost.evil.example:8080", 421),
        ],
    )
    async def test_only_our_names_are_answered(
        self, services: Services, clock: FakeClock, host: str, status: int
    ) -> None:
        async with face(services, clock, base_url="https://status.example.org/") as url:
            response = await post(url, LIST, Host=host)

        assert response.status_code == status

    @pytest.mark.parametrize(
        ("origin", "status"),
        [
            ("http://localhost:6274", 200),
            ("https://status.example.org", 200),
            ("https://evil.example", 403),
            ("http://192.0.2.1", 403),
            ("null", 403),
        ],
    )
    async def test_only_our_pages_may_ask(
        self, services: Services, clock: FakeClock, origin: str, status: int
    ) -> None:
        async with face(services, clock, base_url="https://status.example.org/") as url:
            response = await post(url, LIST, Origin=origin)

        assert response.status_code == status

    async def test_doors_come_before_tokens(self, services: Services, clock: FakeClock) -> None:
        async with face(services, clock) as url:
            response = await post(url, LIST, token="", Host="evil.example")

        assert response.status_code == 421
        assert "base_url" in response.json()["error_description"]

    @pytest.mark.parametrize("method", ["GET", "DELETE"])
    async def test_there_are_no_streams_and_no_sessions(
        self, services: Services, clock: FakeClock, method: str
    ) -> None:
        async with face(services, clock) as url, httpx2.AsyncClient(trust_env=False) as http:
            response = await http.request(method, url, headers=JSON)

        assert (response.status_code, response.headers["allow"]) == (405, "POST")

    async def test_a_search_for_an_oauth_server_finds_none(
        self, services: Services, clock: FakeClock
    ) -> None:
        path = "/.well-known/oauth-protected-resource/mcp"
        async with (
            mcp_app(services, config=Config(), clock=clock) as app,
            serving(Starlette(routes=[Route(path, app)])) as url,
            httpx2.AsyncClient(trust_env=False) as http,
        ):
            response = await http.get(url + path)

        assert response.status_code == 404

    async def test_a_huge_message_is_refused(self, services: Services, clock: FakeClock) -> None:
        async with face(services, clock) as url:
            response = await post(url, LIST | {"params": {"x": "y" * (2 << 20)}})

        assert response.status_code == 413


async def test_nonsense_is_a_parse_error_and_not_a_crash(
    services: Services, clock: FakeClock
) -> None:
    async with face(services, clock) as url, httpx2.AsyncClient(trust_env=False) as http:
        headers = JSON | {"Authorization": f"Bearer {READER}"}
        response = await http.post(url, content=b"[" * 10_000, headers=headers)

    assert response.status_code == 400
    assert response.json()["error"]["code"] == -32700
