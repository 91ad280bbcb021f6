"""The shipped server held against the official SDK's client, over every era and transport."""

import base64
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx2
import pytest
from mcp.client import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError
from mcp.types import PromptReference

from lifesign.testing import (
    CLIENT_ID,
    CLIENT_SECRET,
    EVERYTHING,
    OPEN_TOKEN,
    Era,
    FaultyMCP,
    Framing,
    Gate,
    Transport,
)

NAMES = [tool.name for tool in EVERYTHING.tools]

WAYS: dict[str, dict[str, Any]] = {
    "legacy json": {"era": Era.LEGACY},
    "legacy sse crlf": {"era": Era.LEGACY, "framing": Framing(is_sse=True)},
    "legacy sse lf": {"era": Era.LEGACY, "framing": Framing(is_sse=True, line="\n")},
    "legacy sse cr": {"era": Era.LEGACY, "framing": Framing(is_sse=True, line="\r")},
    "legacy stateless": {"era": Era.LEGACY, "session": ""},
    "modern json": {"era": Era.MODERN},
    "modern sse": {"era": Era.MODERN, "is_sse": True},
    "dual": {"era": Era.DUAL},
    "two replicas": {"era": Era.LEGACY, "replicas": 2},
    "http+sse": {"transport": Transport.SSE},
    "stdio": {},
    "stdio legacy": {},
}


@asynccontextmanager
async def connected(way: str, **more: Any) -> AsyncIterator[Client]:
    """The official client, connected to a server of these ways."""
    if way.startswith("stdio"):
        era = "legacy" if "legacy" in way else "dual"
        command = ["-m", "lifesign.testing", "stdio", "--era", era]
        async with Client(StdioServerParameters(command=sys.executable, args=command)) as client:
            yield client
        return
    async with FaultyMCP(offer=EVERYTHING, **WAYS[way], **more) as server:
        target: Any = sse_client(server.url) if way == "http+sse" else server.url
        async with Client(target, cache=None) as client:
            yield client


@pytest.mark.parametrize("way", WAYS)
async def test_the_official_client_finds_everything(way: str) -> None:
    async with connected(way) as client:
        tools = await client.list_tools()
        resources = await client.list_resources()
        templates = await client.list_resource_templates()
        prompts = await client.list_prompts()
        added = await client.call_tool("add", {"a": 2, "b": 3})
        status = await client.read_resource("lifesign://status")
        greeting = await client.get_prompt("greet", {"name": "Ada"})
        words = await client.complete(PromptReference(name="greet"), {"name": "name", "value": "a"})

    assert [tool.name for tool in tools.tools] == NAMES
    assert len(resources.resources) == 3
    assert len(templates.resource_templates) == 1
    assert [prompt.name for prompt in prompts.prompts] == ["greet"]
    assert added.structured_content == {"sum": 5}
    assert '"status": "ok"' in status.contents[0].text
    assert "Ada" in greeting.messages[0].content.text
    assert words.completion.values == ["Ada", "Alan"]


@pytest.mark.parametrize(
    ("way", "version"),
    [("legacy json", "2025-11-25"), ("modern json", "2026-07-28"), ("dual", "2026-07-28"), ("stdio", "2026-07-28"), ("stdio legacy", "2025-11-25")],
)  # fmt: skip
async def test_the_era_is_the_one_that_was_asked_for(way: str, version: str) -> None:
    async with connected(way) as client:
        assert client.protocol_version == version


async def test_every_way_publishes_the_same_tools() -> None:
    lists = []
    for way in WAYS:
        async with connected(way) as client:
            lists.append([tool.model_dump() for tool in (await client.list_tools()).tools])

    assert all(listed == lists[0] for listed in lists)


@pytest.mark.parametrize("way", ["legacy json", "modern json", "http+sse", "stdio"])
async def test_progress_comes_before_the_result(way: str) -> None:
    seen: list[float] = []

    async def note(progress: float, *_: object) -> None:
        seen.append(progress)

    async with connected(way) as client:
        result = await client.call_tool("count", {"steps": 3}, progress_callback=note)

    assert seen == [1, 2, 3]
    assert not result.is_error


@pytest.mark.parametrize("way", ["legacy json", "modern json"])
async def test_pages_are_walked(way: str) -> None:
    async with connected(way, page_size=5) as client:
        found, cursor = [], None
        for _ in range(3):
            page = await client.list_tools(cursor=cursor)
            found += [tool.name for tool in page.tools]
            cursor = page.next_cursor

    assert found == NAMES
    assert cursor is None


async def test_notes_jobs_and_files_are_real() -> None:
    async with connected("dual") as client:
        await client.call_tool("write_note", {"name": "n", "text": "hello"})
        note = await client.call_tool("read_note", {"name": "n"})
        await client.call_tool("delete_note", {"name": "n"})
        gone = await client.call_tool("read_note", {"name": "n"})
        job = (await client.call_tool("start_job")).structured_content["job"]
        looks = [
            (await client.call_tool("job_status", {"job": job})).structured_content["status"]
            for _ in range(3)
        ]
        picture = (await client.call_tool("picture")).content[0]
        document = (await client.call_tool("document")).content[0]

    assert note.content[0].text == "hello"
    assert gone.is_error
    assert looks == ["running", "running", "done"]
    assert base64.b64decode(picture.data).startswith(b"\x89PNG")
    assert base64.b64decode(document.resource.blob).startswith(b"%PDF-")


@pytest.mark.parametrize("way", ["legacy json", "modern json"])
async def test_what_is_not_there_is_refused_in_words(way: str) -> None:
    async with connected(way) as client:
        with pytest.raises(MCPError, match="Unknown tool"):
            await client.call_tool("nothing")
        with pytest.raises(MCPError, match="No resource"):
            await client.read_resource("lifesign://nothing")


async def test_the_official_client_leaves_no_session_behind() -> None:
    async with FaultyMCP() as server:
        async with Client(server.url, mode="legacy") as client:
            await client.list_tools()
            assert len(server.sessions) == 1

        assert server.sessions == []


async def test_the_official_client_hears_of_a_redeployment() -> None:
    async with (
        FaultyMCP(offer=EVERYTHING, era=Era.MODERN) as server,
        Client(server.url, cache=None) as client,
    ):
        async with client.listen(tools_list_changed=True) as heard:
            server.redeploy(tools=[{"name": "new", "inputSchema": {"type": "object"}}])
            with anyio.fail_after(5):
                await anext(heard)
        listed = await client.list_tools()

    assert [tool.name for tool in listed.tools] == ["new"]


async def test_the_official_client_is_let_in_with_a_token() -> None:
    async with FaultyMCP(gate=Gate()) as server:
        headers = {"Authorization": f"Bearer {OPEN_TOKEN}"}
        async with (
            httpx2.AsyncClient(headers=headers) as http,
            Client(streamable_http_client(server.url, http_client=http)) as client,
        ):
            listed = await client.list_tools()

    assert [tool.name for tool in listed.tools] == ["echo"]


async def test_a_minted_token_opens_the_gate_until_it_ends() -> None:
    async with FaultyMCP(gate=Gate(expires_in=3600)) as server, httpx2.AsyncClient() as http:
        refused = await http.post(server.url, json={})
        metadata = refused.headers["WWW-Authenticate"].split('resource_metadata="')[1].split('"')[0]
        resource = (await http.get(metadata)).json()
        path = "/.well-known/oauth-authorization-server/auth"
        issuer = (await http.get(server.base + path)).json()
        form = {"grant_type": "client_credentials"}
        minted = await http.post(
            issuer["token_endpoint"], data=form, auth=(CLIENT_ID, CLIENT_SECRET)
        )
        bearer = {"Authorization": f"Bearer {minted.json()['access_token']}"}
        let_in = await http.post(server.url, json={}, headers=bearer)
        wrong = await http.post(issuer["token_endpoint"], data=form, auth=(CLIENT_ID, "no"))

    assert refused.status_code == 401
    assert resource["resource"] == server.url
    assert resource["authorization_servers"] == [issuer["issuer"]] == [server.issuer]
    assert minted.json()["expires_in"] == 3600
    assert let_in.status_code != 401
    assert wrong.status_code == 401


async def test_an_old_token_is_refused() -> None:
    async with FaultyMCP(gate=Gate(expires_in=-1)) as server, httpx2.AsyncClient() as http:
        form = {"grant_type": "client_credentials", "client_id": CLIENT_ID, "client_secret": CLIENT_SECRET}  # fmt: skip
        minted = (await http.post(server.base + "/token", data=form)).json()
        bearer = {"Authorization": f"Bearer {minted['access_token']}"}
        answer = await http.post(server.url, json={}, headers=bearer)

    assert answer.status_code == 401
    assert "invalid_token" in answer.headers["WWW-Authenticate"]
