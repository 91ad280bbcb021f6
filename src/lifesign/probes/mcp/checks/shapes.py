"""Whether the results of `initialize` and `tools/list` have the shape that the MCP schema gives them.

A well-formed result is decoded straight into a typed struct, which costs little; only when that fails is
the JSON opened up to say exactly what is wrong.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from lifesign.core.model import Finding, Level
from lifesign.probes.mcp.client.wire import Fault

MAX_NAMED = 3
"""How many tools a finding names before it only counts."""


@dataclass(frozen=True, slots=True)
class Greeting:
    """What `initialize` told."""

    version: str
    server_name: str
    server_version: str
    capabilities: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ToolPage:
    """One page of `tools/list`: names in their order, which of them are unsound, and where it goes on."""

    names: tuple[str, ...]
    unsound: tuple[str, ...] = ()
    cursor: str | None = None


class _ServerInfo(msgspec.Struct):
    name: str
    version: Any = ""


class _InitializeResult(msgspec.Struct):
    protocolVersion: str  # noqa: N815 - the wire's own name
    capabilities: dict[str, msgspec.Raw]
    serverInfo: _ServerInfo  # noqa: N815 - the wire's own name


class _Schema(msgspec.Struct):
    type: Literal["object"]


class _Tool(msgspec.Struct):
    name: str
    inputSchema: _Schema  # noqa: N815 - the wire's own name
    description: str | None = None


class _ToolsResult(msgspec.Struct):
    tools: list[_Tool]
    nextCursor: str | None = None  # noqa: N815 - the wire's own name


_initialize_decoder = msgspec.json.Decoder(_InitializeResult)
_tools_decoder = msgspec.json.Decoder(_ToolsResult)
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def read_greeting(raw: bytes) -> Greeting | Fault:
    """Read the result of `initialize`; a fault names a code of the initialize layer."""
    try:
        result = _initialize_decoder.decode(raw)
    except _UNREADABLE:
        return _diagnose_greeting(raw)
    if not result.protocolVersion:
        return Fault("missing_protocol_version", "has an empty `protocolVersion`")
    if not result.serverInfo.name.strip():
        return Fault("missing_server_info", "has an empty `serverInfo.name`")
    return Greeting(
        version=result.protocolVersion[:40],
        server_name=result.serverInfo.name[:200],
        server_version=str(result.serverInfo.version or "")[:100],
        capabilities=tuple(sorted(result.capabilities))[:50],
    )


def _diagnose_greeting(raw: bytes) -> Fault:
    result = _opened(raw)
    if not isinstance(result, dict):
        return Fault("missing_protocol_version", f"is {_kind(result)} instead of an object")
    if not isinstance(result.get("protocolVersion"), str):
        return Fault("missing_protocol_version", "has no `protocolVersion` text")
    info = result.get("serverInfo")
    if not isinstance(info, dict) or not isinstance(info.get("name"), str):
        return Fault("missing_server_info", "has no `serverInfo` with a `name`")
    return Fault("missing_capabilities", "has no `capabilities` object")


def read_tools(raw: bytes) -> ToolPage | Fault:
    """Read one page of `tools/list`; a fault names a code of the tools_list layer."""
    try:
        result = _tools_decoder.decode(raw)
    except _UNREADABLE:
        return _diagnose_tools(raw)
    names = tuple([tool.name for tool in result.tools])
    if not all(names):
        return Fault("malformed", "has a tool with an empty `name`")
    return ToolPage(names, cursor=result.nextCursor or None)


def _diagnose_tools(raw: bytes) -> ToolPage | Fault:
    """What can be used although it is not sound; clients drop such tools, so they are found and named."""
    result = _opened(raw)
    if not isinstance(result, dict) or not isinstance(result.get("tools"), list):
        return Fault("malformed", "has no `tools` array")
    names: list[str] = []
    unsound: list[str] = []
    for number, tool in enumerate(result["tools"], start=1):
        name = tool.get("name") if isinstance(tool, dict) else None
        if not isinstance(name, str) or not name:
            return Fault("malformed", f"has no `name` in tool {number} of {len(result['tools'])}")
        names.append(name)
        if not _is_sound(tool):
            unsound.append(name)
    cursor = result.get("nextCursor")
    if cursor is not None and not isinstance(cursor, str):
        return Fault("malformed", f"has a `nextCursor` that is {_kind(cursor)} instead of text")
    return ToolPage(tuple(names), tuple(unsound), cursor or None)


def _is_sound(tool: dict[str, Any]) -> bool:
    schema = tool.get("inputSchema")
    is_described = isinstance(tool.get("description"), str | None)
    return is_described and isinstance(schema, dict) and schema.get("type") == "object"


def find_tool_problems(names: Iterable[str], unsound: Iterable[str]) -> tuple[Finding, ...]:
    """What is worth saying of a whole list that was read without a fault."""
    counted = Counter(names)
    findings: list[Finding] = []
    if not counted:
        findings.append(_empty_list())
    if broken := list(unsound):
        findings.append(
            Finding(
                Level.WARN,
                "tools_list",
                "malformed",
                f"The `inputSchema` or description of {len(broken)} of {counted.total()} tools is not "
                f"sound: {_named(broken)}.",
                "Give each tool an `inputSchema` of type object; many clients drop every tool otherwise.",
            )
        )
    if repeated := [name for name, count in counted.items() if count > 1]:
        findings.append(
            Finding(
                Level.WARN,
                "tools_list",
                "duplicate_names",
                f"Tool names come more than once: {_named(repeated)}.",
                "Give every tool its own name; clients can only call one of them.",
            )
        )
    return tuple(findings)


def _empty_list() -> Finding:
    return Finding(
        Level.WARN,
        "tools_list",
        "empty_but_advertised",
        "The server advertises tools but lists none.",
        "Look at the server's log for tools that failed to register at start.",
    )


def _named(names: list[str]) -> str:
    shown = ", ".join(f"`{name[:60]}`" for name in names[:MAX_NAMED])
    return f"{shown} and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else shown


def _opened(raw: bytes) -> object:
    try:
        return msgspec.json.decode(raw)
    except _UNREADABLE:
        return None


def _kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "an array",
        str: "text",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(value), "a number")
