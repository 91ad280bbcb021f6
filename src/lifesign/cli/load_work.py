"""What the clients of a load test do over and over: whole visits, or one request within a session of their own."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from lifesign.clock import SystemClock
from lifesign.core.errors import InvalidError
from lifesign.core.model import Level
from lifesign.net.failures import NetError
from lifesign.probes.mcp.checks.lists import read_list
from lifesign.probes.mcp.checks.outcome import Expected, Timing, judge_result, read_result
from lifesign.probes.mcp.checks.shapes import read_tools
from lifesign.probes.mcp.client.mirrors import mirrored, read_mirrors
from lifesign.probes.mcp.client.visit import Visit
from lifesign.probes.mcp.client.wire import Era, Fault
from lifesign.probes.mcp.sheet import failed

METHODS = ("ping", "tools/list")

Act = Callable[[Visit], Awaitable[None]]
"""One request of a visit that is under way. Raises `NetError`."""


@dataclass(frozen=True, slots=True)
class Work:
    """What one client does: `title` for people; `act` within one session, or None for whole visits."""

    title: str
    act: Act | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """What the command line asks for: a method, or a call of a tool, or neither for whole visits."""

    method: str = ""
    tool: str = ""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    may_write: bool = False


async def work_of(wish: Wish, visit: Visit) -> Work:
    """The work, once a first visit shows that it can be done. Raises InvalidError, and `NetError` of the visit."""
    if wish.tool:
        return await _calls(wish, visit)
    if wish.method == "ping" and visit.era is Era.MODERN:
        raise InvalidError(
            f"The server speaks {visit.greeting.version}, which has no `ping`.",
            remedy="Take --method tools/list, or whole visits.",
        )
    if wish.method:
        return Work(f"`{wish.method}` in one session each", _ask_for(wish.method))
    return Work("whole visits (greet, tools/list, leave)")


async def look_around(visit: Visit) -> None:
    """What a visit is for: the list of tools, to its end."""
    if "tools" in visit.greeting.capabilities:
        await read_list(visit, "tools/list", step="tools_list")


def _ask_for(method: str) -> Act:
    if method == "tools/list":
        return look_around

    async def ping(visit: Visit) -> None:
        await visit.call("ping", step="session")

    return ping


async def _calls(wish: Wish, visit: Visit) -> Work:
    tool = await _listed(wish.tool, visit)
    hints = tool.get("annotations")
    only_reads = isinstance(hints, Mapping) and hints.get("readOnlyHint") is True
    if not only_reads and not wish.may_write:
        raise InvalidError(
            f"The tool {wish.tool[:80]!r} does not say that it only reads (annotations.readOnlyHint).",
            remedy="Choose another, or add --allow-writes if every call of it may do what it does.",
        )
    headers = _headers(visit, tool, wish.arguments)
    params = {"name": wish.tool, "arguments": dict(wish.arguments)}

    async def call(visit: Visit) -> None:
        result = await visit.call(
            "tools/call", params, step="tools_call", name=wish.tool, headers=headers
        )
        _require_good(result.raw, wish.tool)

    return Work(f"calls of {wish.tool[:80]} in one session each", call)


async def _listed(name: str, visit: Visit) -> Mapping[str, Any]:
    listing = await read_list(visit, "tools/list", step="tools_list")
    listed = read_tools(listing.pages)
    tools = [] if isinstance(listed, Fault) else listed.tools
    found = next((tool for tool in tools if tool.get("name") == name), None)
    if found is None:
        raise InvalidError(
            f"The server lists no tool {name[:80]!r}.", remedy="See `lifesign probe` for its tools."
        )
    return found


def _headers(visit: Visit, tool: Mapping[str, Any], arguments: Mapping[str, Any]) -> dict[str, str]:
    """The arguments that the tool wants as headers too; the older era knows of none."""
    mirrors = read_mirrors(tool.get("inputSchema")) if visit.era is Era.MODERN else ()
    return {} if isinstance(mirrors, Fault) else dict(mirrored(mirrors, arguments))


def _require_good(raw: bytes, name: str) -> None:
    result = read_result(raw, Timing(0.0, 0.0))
    for objection in judge_result(result, Expected(), SystemClock().now()):
        if objection.level is Level.FAIL:
            raise NetError(failed("tools_call", objection.code, f"`{name[:80]}` {objection.what}."))
