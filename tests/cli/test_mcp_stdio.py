"""`lifesign mcp` as a child process: through the SDK's client, through bare pipes, through a foreign client."""

import asyncio
import json
import os
import subprocess
import sys
from contextlib import asynccontextmanager

import httpx2
import pytest
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

import outside
from asgi_server import serving
from lifesign.cli.client import Found
from lifesign.cli.mcp import _TokenOf
from mcp import Client, StdioServerParameters
from servers.background import in_background

pytestmark = pytest.mark.slow

LISTED = 9
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    },
}


def environ():
    return {name: v for name, v in os.environ.items() if not name.startswith("LIFESIGN_")}


@pytest.fixture(params=["a daemon", "no daemon"])
def data(request, tmp_path):
    """A data directory that is served, and one that only holds a database."""
    if request.param == "a daemon":
        return request.getfixturevalue("daemon").data
    from lifesign.cli.client import Place, opened

    async def make():
        async with opened(Place(None, tmp_path, {})):
            pass

    asyncio.run(make())
    return tmp_path


def talk(data, *messages, args=("mcp",)):
    """Write the lines, close stdin, and give what was printed."""
    lines = "".join(m if isinstance(m, str) else f"{json.dumps(m)}\n" for m in messages)
    return subprocess.run(
        [sys.executable, "-m", "lifesign", *args, "--data", data],
        input=lines, capture_output=True, text=True, timeout=30, check=False, env=environ(),
    )  # fmt: skip


@pytest.mark.parametrize("mode", ["legacy", "auto", "2026-07-28"])
async def test_the_sdk_lists_and_calls(data, mode):
    parameters = StdioServerParameters(
        command=sys.executable, args=["-m", "lifesign", "mcp", "--data", str(data)], env=environ()
    )
    async with asyncio.timeout(30), Client(parameters, mode=mode) as client:
        tools = (await client.list_tools()).tools
        health = await client.call_tool("get_health", {})
        missing = await client.call_tool("pause_monitor", {"monitor_id": "nothing"})

    assert len(tools) == LISTED
    assert health.structured_content["status"] == "ok"
    assert missing.is_error
    assert "There is no monitor 'nothing'" in missing.content[0].text


@pytest.mark.parametrize("args", [("mcp",), ("--mcp-stdio",)])
def test_every_request_is_answered_before_it_ends_with_stdin(data, args):
    calls = [
        {"jsonrpc": "2.0", "id": n, "method": "tools/call", "params": {"name": "list_alerts"}}
        for n in range(2, 12)
    ]
    ended = talk(data, INITIALIZE, *calls, args=args)
    answers = [json.loads(line) for line in ended.stdout.splitlines()]

    assert ended.returncode == 0
    assert sorted(answer["id"] for answer in answers) == list(range(1, 12))
    assert all("result" in answer for answer in answers)


def test_nothing_but_protocol_is_printed(data):
    ended = talk(data, "this is no message\n", INITIALIZE)
    answers = [json.loads(line) for line in ended.stdout.splitlines()]

    assert [answer["jsonrpc"] for answer in answers] == ["2.0", "2.0"]
    assert answers[0]["error"]["code"] == -32700


def test_without_anything_to_serve_it_says_so_on_stderr_alone(tmp_path):
    ended = talk(tmp_path / "nothing", INITIALIZE)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert "lifesign serve" in ended.stderr


def test_a_daemon_elsewhere_is_reached_with_its_token(daemon):
    ended = subprocess.run(
        [sys.executable, "-m", "lifesign", "mcp", "--url", daemon.url],
        input=json.dumps(INITIALIZE), capture_output=True, text=True, timeout=30, check=False,
        env=environ() | {"LIFESIGN_TOKEN": daemon.token},
    )  # fmt: skip

    assert json.loads(ended.stdout)["result"]["serverInfo"]["name"] == "lifesign"


async def test_a_daemon_that_started_again_is_asked_with_its_new_token():
    seen = []

    def answer(request):
        seen.append(request.headers["authorization"])
        return httpx2.Response(200 if "new" in seen[-1] else 401)

    async def again():
        return Found("http://127.0.0.1:9", "new", "daemon.json")

    auth = _TokenOf(Found("http://127.0.0.1:9", "old", "daemon.json"), again)
    async with httpx2.AsyncClient(auth=auth, transport=httpx2.MockTransport(answer)) as http:
        responses = [await http.post("http://127.0.0.1:9/mcp") for _ in range(2)]

    assert [response.status_code for response in responses] == [200, 200]
    assert seen == ["Bearer old", "Bearer new", "Bearer new"]


def inspect(*args, **more):
    ended = subprocess.run(
        [outside.path_of("mcp-inspector"), "--cli", *args],
        capture_output=True, text=True, timeout=55, check=False, env=environ() | more,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return json.loads(ended.stdout)


@pytest.mark.needs("node", "mcp-inspector")
class TestAForeignClient:
    """The MCP Inspector, which speaks the handshake era only."""

    def test_over_stdio(self, daemon):
        command = (sys.executable, "-m", "lifesign", "mcp")
        reach = {"LIFESIGN_DATA": str(daemon.data)}
        env = ("-e", f"LIFESIGN_DATA={daemon.data}")
        listed = inspect(*env, *command, "--method", "tools/list", **reach)
        called = inspect(
            *env, *command, "--method", "tools/call", "--tool-name", "get_health", **reach
        )

        assert len(listed["tools"]) == LISTED
        assert called["structuredContent"]["status"] == "ok"

    def test_over_http(self, daemon):
        with in_background(lambda: with_token(daemon)) as url:
            listed = inspect(url, "--transport", "http", "--method", "tools/list")
            called = inspect(
                url, "--transport", "http", "--method", "tools/call",
                "--tool-name", "list_endpoints", "--tool-arg", "limit=5",
            )  # fmt: skip

        assert len(listed["tools"]) == LISTED
        assert called["structuredContent"]["endpoints"] == []


@asynccontextmanager
async def with_token(daemon):
    """The daemon's `/mcp` for a client that cannot send a token (the Inspector's command line before 0.17)."""

    async def forward(request):
        headers = dict(request.headers) | {"authorization": f"Bearer {daemon.token}"}
        del headers["host"]
        async with httpx2.AsyncClient(trust_env=False) as http:
            answer = await http.request(
                request.method, f"{daemon.url}/mcp", headers=headers, content=await request.body()
            )
        media = answer.headers.get("content-type")
        return Response(answer.content, answer.status_code, media_type=media)

    methods = ["GET", "POST", "DELETE"]
    async with serving(Starlette(routes=[Route("/mcp", forward, methods=methods)])) as url:
        yield f"{url}/mcp"
