"""What is beyond one fault of one endpoint: servers that mean harm, programs, replicas, and what no server is at fault for."""

import asyncio
import sys
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from lifesign.clock import SystemClock
from lifesign.core.model import Observation
from lifesign.net import Net
from lifesign.probes.once import observe
from lifesign.probes.registry import ProbeContext
from lifesign.testing import EVERYTHING, Era, FaultyMCP, Gate, Where
from servers.looks import KINDS, SHORT_S, WITHIN_S, Look, look, said, switches

HOSTILE = {
    "hostile/endless_body": "http/body_too_large",
    "hostile/byte_a_second": "http/read_timeout",
    "hostile/byte_a_second_events": "initialize/hang",
    "hostile/endless_comments": "initialize/hang",
    "hostile/endless_event": "http/body_too_large",
    "hostile/silent_stream": "initialize/hang",
    "hostile/gzip_bomb": "http/body_too_large",
    "hostile/large_list": "http/body_too_large",
    "hostile/many_tools": "tools_list/truncated",
    "hostile/endless_pages": "tools_list/truncated",
    "hostile/deep_schema": "jsonrpc/too_deep",
    "hostile/recursive_schema": "ok",
    "hostile/result_and_error": "jsonrpc/not_jsonrpc",
    "hostile/id_reuse": "jsonrpc/id_mismatch",
    "hostile/interim_flood": "http/bad_response",
    "hostile/reset_after_head": "tcp/reset",
    "hostile/unreadable_redirect": "http/moved_redirect",
    "hostile/huge_header": "http/header_too_large",
}
"""What the probe says of a server that means harm."""

TRACED_S = 20.0
"""Counting every byte makes the probe many times slower."""

MOST_BYTES = 48 * 1024 * 1024
"""What the probe and the server together may hold: an answer of 4 MiB a few times over, however much is sent."""


@pytest.fixture(scope="module")
def net() -> Net:
    return Net.open()


@pytest.fixture
def _counted() -> Iterator[None]:
    tracemalloc.start()
    yield
    tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("_counted")
@pytest.mark.parametrize("code", switches(Where.ENDPOINT, is_hostile=True))
async def test_a_server_that_means_harm_is_named_in_time_and_fills_no_memory(
    code: str, net: Net
) -> None:
    within = SHORT_S if HOSTILE[code].endswith(("timeout", "hang")) else TRACED_S
    async with FaultyMCP(code) as server:
        before, _ = tracemalloc.get_traced_memory()
        started = asyncio.get_running_loop().time()
        observation = await look(server, Look(within=within), net)
        took = asyncio.get_running_loop().time() - started
        _, most = tracemalloc.get_traced_memory()

    assert (said(observation) or ["ok"])[0] == HOSTILE[code]
    assert took < within + 0.5
    assert most - before < MOST_BYTES


async def run_program(fault: str, net: Net, *, within: float = 10.0, **more: Any) -> Observation:
    """The program with one fault, watched as a monitor watches it."""
    command = [sys.executable, "-m", "lifesign.testing", "stdio", *(["--fault", fault] if fault else [])]  # fmt: skip
    kind = KINDS["mcp-stdio"]
    settings = kind.settings.model_validate({"command": command} | more)
    deadline = asyncio.get_running_loop().time() + within
    context = ProbeContext(net, SystemClock(), deadline, may_spawn=more.pop("may_spawn", True))
    return await observe(kind, settings, context)


PROGRAMS = {
    "stdio/exited": ["stdio/exited"],
    "stdio/stdout_pollution": ["stdio/stdout_pollution"],
    "stdio/no_reply": ["stdio/no_reply"],
    "stdio/too_much_output": ["stdio/too_much_output"],
    "stdio/grandchild": [],
    "stdio/deaf": ["stdio/deaf"],
}


@pytest.mark.slow
@pytest.mark.parametrize("code", ["", *switches(Where.STDIO)])
async def test_each_fault_of_a_program_is_seen_as_its_code(code: str, net: Net) -> None:
    within = 2.0 if code == "stdio/no_reply" else 10.0
    observation = await run_program(code, net, within=within)

    assert said(observation) == PROGRAMS.get(code, [])


async def test_a_program_that_is_not_there_cannot_be_started(net: Net) -> None:
    observation = await run_program("", net, command=["/nowhere/to/be/found"])

    assert said(observation) == ["stdio/spawn_failed"]


async def test_a_program_that_nobody_allowed_is_not_started(net: Net) -> None:
    kind = KINDS["mcp-stdio"]
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    context = ProbeContext(net, SystemClock(), deadline)
    settings = kind.settings.model_validate({"command": ["true"]})

    assert said(await observe(kind, settings, context)) == ["stdio/not_allowed"]


async def test_a_credential_that_has_run_out_is_not_the_servers_fault(net: Net) -> None:
    yesterday = (datetime.now(UTC) - timedelta(days=1)).date().isoformat()
    settings = {"bearer_token": "old-token", "credential_expires_at": yesterday}
    async with FaultyMCP(gate=Gate()) as server:
        observation = await look(server, Look(lambda _: settings), net)

    assert said(observation)[0] == "credential/expired"


@pytest.mark.parametrize(
    ("is_sticky", "code"), [(False, "session/session_rejected"), (True, "session/session_lost")]
)
async def test_replicas_without_shared_sessions_are_found_out(
    is_sticky: bool, code: str, net: Net
) -> None:
    ways: dict[str, Any] = {"replicas": 2, "shares_sessions": False, "is_sticky": is_sticky}
    async with FaultyMCP(offer=EVERYTHING, **ways) as server:
        observation = await look(server, Look(), net)

    assert said(observation) == [code]


async def test_replicas_that_share_sessions_are_one_server(net: Net) -> None:
    async with FaultyMCP(offer=EVERYTHING, replicas=3) as server:
        observation = await look(server, Look(times=2), net)

    assert said(observation) == []
    assert server.sessions == []


async def test_a_modern_server_that_hangs_at_discovery_is_told_so(net: Net) -> None:
    async with FaultyMCP("discover/hang", era=Era.MODERN) as server:
        observation = await look(server, Look(within=SHORT_S), net)

    assert said(observation) == ["discover/hang"]
