"""The official MCP Inspector, which we did not write, lists and calls our tools over both transports."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest

import outside
from e2e.daemon import Daemon
from e2e.processes import clean_environment, free_port

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.slow,
    pytest.mark.timeout(120),
    pytest.mark.needs("node", "mcp-inspector"),
]

TOOLS = {
    "list_endpoints",
    "get_endpoint_history",
    "list_heartbeats",
    "list_certificates",
    "list_alerts",
    "get_health",
    "acknowledge_alert",
    "pause_monitor",
    "resume_monitor",
}


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    home = tmp_path_factory.mktemp("inspected")
    config = home / "lifesign.yaml"
    config.write_text(
        f"monitors: [{{name: Shop, kind: tcp, target: '127.0.0.1:{free_port()}', interval: 30s}}]\n",
        "utf-8",
    )
    with closing(Daemon(home / "data", config=config)) as daemon:
        daemon.start()
        yield daemon


def inspect(*arguments: str) -> Any:
    done = subprocess.run(
        [outside.path_of("mcp-inspector"), "--cli", *arguments],
        capture_output=True,
        text=True,
        timeout=50,
        check=False,
        env=clean_environment(),
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout)


@pytest.fixture(params=["stdio", "http"])
def transport(request: pytest.FixtureRequest, daemon: Daemon) -> list[str]:
    if request.param == "stdio":
        return [sys.executable, "-m", "lifesign", "mcp", "--data", str(daemon.data)]
    return [
        f"{daemon.url}/mcp",
        "--transport",
        "http",
        "--header",
        f"Authorization: Bearer {daemon.token('operate')}",
    ]


def test_it_lists_the_tools(transport: list[str]) -> None:
    listed = inspect(*transport, "--method", "tools/list")

    assert {tool["name"] for tool in listed["tools"]} >= TOOLS
    assert all(tool["description"] and tool["inputSchema"] for tool in listed["tools"])


def test_it_calls_a_tool(transport: list[str]) -> None:
    answer = inspect(*transport, "--method", "tools/call", "--tool-name", "list_endpoints")

    assert answer.get("isError") is not True
    assert "Shop" in json.dumps(answer)
