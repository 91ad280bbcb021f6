"""Drives Lifesign's own MCP client for the protocol's conformance suite, which gives the server's URL last.

It does what a client does: greets, lists everything that is declared, calls every tool that may be called, reads
every resource and expands every prompt. What a scenario wants called with comes from it in MCP_CONFORMANCE_CONTEXT.
"""

import asyncio
import json
import os
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from lifesign.clock import SystemClock
from lifesign.net import Net
from lifesign.net.failures import NetError
from lifesign.probes.mcp.client.eras import arrive
from lifesign.probes.mcp.client.mirrors import mirrored, read_mirrors
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import Fault
from lifesign.probes.mcp.plan import HTTPLines, Plan
from lifesign.probes.mcp.settings import MCPSettings
from lifesign.probes.once import observe
from lifesign.probes.registry import ProbeContext, load_kinds

DEADLINE_S = 20.0
EXAMPLES = {"string": "a", "integer": 5, "number": 2.5, "boolean": True, "object": {}, "array": []}
SIGN_IN = "auth/"

Tool = Mapping[str, Any]


def context() -> Mapping[str, Any]:
    """What the scenario tells its client."""
    told: Mapping[str, Any] = json.loads(os.environ.get("MCP_CONFORMANCE_CONTEXT") or "{}")
    return told


def arguments_for(tool: Tool, others: Iterable[Tool]) -> Iterable[Mapping[str, Any]]:
    """What to call a tool with: what the scenario wants, else something that fits its schema."""
    wanted = [
        call["arguments"] for call in context().get("toolCalls", ()) if call["name"] == tool["name"]
    ]
    if wanted:
        return wanted
    if tool["name"] == "json_schema_echo":
        return [{"schema": other["inputSchema"]} for other in others if other is not tool]
    properties = tool["inputSchema"].get("properties", {})
    return [{name: EXAMPLES.get(each.get("type"), "a") for name, each in properties.items()}]


async def call_tools(visit: Visit) -> None:
    """Every tool but those whose annotations break a rule: a client must leave these out."""
    listed = json.loads((await visit.call("tools/list", {}, step="tools_list")).raw)["tools"]
    for tool in listed:
        mirrors = read_mirrors(tool["inputSchema"])
        if isinstance(mirrors, Fault):
            continue
        for arguments in arguments_for(tool, listed):
            # Some scenarios only list a tool, and answer calls of it with an error.
            await visit.ask(
                "tools/call",
                {"name": tool["name"], "arguments": arguments},
                step="tools_call",
                name=tool["name"],
                headers=dict(mirrored(mirrors, arguments)),
            )


async def read_resources(visit: Visit) -> None:
    """Every resource that is listed."""
    listed = json.loads((await visit.call("resources/list", {}, step="resources")).raw)["resources"]
    for uri in [each["uri"] for each in listed]:
        await visit.call("resources/read", {"uri": uri}, step="resources", name=uri)


async def expand_prompts(visit: Visit) -> None:
    """Every prompt that is listed."""
    listed = json.loads((await visit.call("prompts/list", {}, step="prompts")).raw)["prompts"]
    for name in [each["name"] for each in listed]:
        await visit.call("prompts/get", {"name": name}, step="prompts", name=name)


async def visit_server(url: str, deadline: float) -> None:
    """One whole visit, by the client alone."""
    plan = Plan.of(MCPSettings(url=url))
    lines = HTTPLines(Net.open(), plan.endpoint, deadline=deadline, phases={})
    arrival = await arrive(lines, plan.wanted, None, now=asyncio.get_running_loop().time)
    visit = arrival.visit
    steps = {"tools": call_tools, "resources": read_resources, "prompts": expand_prompts}
    try:
        # Some servers of the suite list tools without declaring them.
        for name in {"tools", *visit.greeting.capabilities} & set(steps):
            await steps[name](visit)
        await visit.leave(deadline)
    finally:
        visit.close()


async def sign_in(url: str, deadline: float) -> None:
    """The whole probe: without a credential, when it looks how one would get in; then as a client with a secret.

    Raises `NetError` with what stops the second. A server that leads its clients astray must never get to see the secret.
    """
    told = {"client_id": "a-client", "client_secret": "a-secret"} | dict(context())
    client = {name: told[name] for name in ("client_id", "client_secret")}
    kind, failure, memory = load_kinds()["mcp"], None, {}
    for credential in ({}, {"oauth": client}):
        settings = kind.settings.model_validate({"url": url, **credential})
        ctx = ProbeContext(Net.open(), SystemClock(), deadline, memory=memory)
        failure = (await observe(kind, settings, ctx)).failure
    if failure is not None:
        raise NetError(failure)


async def main(url: str) -> int:
    """Run the scenario of the environment; what went wrong is told on stderr."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    is_sign_in = os.environ["MCP_CONFORMANCE_SCENARIO"].startswith(SIGN_IN)
    try:
        await (sign_in if is_sign_in else visit_server)(url, deadline)
    except NetError as error:
        sys.stderr.write(f"{error.failure}\n")
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(asyncio.run(main(sys.argv[-1])))
