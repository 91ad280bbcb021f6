"""What a server says of itself first: the result of `initialize`, or of `server/discover`. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from lifesign.probes.mcp.client.wire import Fault

SERVER_INFO = "io.modelcontextprotocol/serverInfo"
"""Where the stateless era keeps the server's name (`_meta` of the result)."""

UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@dataclass(frozen=True, slots=True)
class Greeting:
    """Version agreed on, identity, what the server can do. `supported` are all versions it named (stateless era)."""

    version: str
    server_name: str
    server_version: str
    server_info: Mapping[str, Any] = field(default_factory=dict)
    capabilities: Mapping[str, Any] = field(default_factory=dict)
    instructions: str = ""
    supported: tuple[str, ...] = ()


class _InitializeResult(msgspec.Struct):
    protocolVersion: str  # noqa: N815 - the wire's own name
    capabilities: dict[str, Any]
    serverInfo: dict[str, Any]  # noqa: N815 - the wire's own name
    instructions: str | None = None


class _DiscoverResult(msgspec.Struct):
    supportedVersions: list[str]  # noqa: N815 - the wire's own name
    capabilities: dict[str, Any]
    instructions: str | None = None
    serverInfo: Any = None  # noqa: N815 - the wire's own name
    meta: dict[str, Any] = msgspec.field(name="_meta", default_factory=dict)


_initialize_decoder = msgspec.json.Decoder(_InitializeResult)
_discover_decoder = msgspec.json.Decoder(_DiscoverResult)


def read_greeting(raw: bytes) -> Greeting | Fault:
    """Read the result of `initialize`; a fault names a code of the initialize layer."""
    try:
        result = _initialize_decoder.decode(raw)
    except UNREADABLE:
        return _diagnose(raw)
    name = result.serverInfo.get("name")
    if not result.protocolVersion:
        return Fault("missing_protocol_version", "has an empty `protocolVersion`")
    if not isinstance(name, str) or not name.strip():
        return Fault("missing_server_info", "has no `serverInfo` with a `name`")
    return Greeting(
        version=result.protocolVersion[:40],
        server_name=name[:200],
        server_version=str(result.serverInfo.get("version") or "")[:100],
        server_info=result.serverInfo,
        capabilities=result.capabilities,
        instructions=result.instructions or "",
    )


def read_discovery(raw: bytes, *, version: str = "") -> Greeting | Fault:
    """Read the result of `server/discover`; the client chooses the `version`. A name is optional."""
    try:
        result = _discover_decoder.decode(raw)
    except UNREADABLE:
        return _diagnose_discovery(raw)
    info = result.meta.get(SERVER_INFO) or result.serverInfo
    named = info if isinstance(info, dict) else {}
    return Greeting(
        version=version,
        server_name=str(named.get("name") or "")[:200],
        server_version=str(named.get("version") or "")[:100],
        server_info=named,
        capabilities=result.capabilities,
        instructions=result.instructions or "",
        supported=tuple(version[:40] for version in result.supportedVersions[:20]),
    )


def names_versions(raw: bytes) -> bool:
    """Whether a result could be meant as one of `server/discover`, sound or not."""
    result = opened(raw)
    return not isinstance(result, dict) or "supportedVersions" in result


def versions_in(raw: bytes) -> tuple[str, ...]:
    """The versions that a result of `server/discover` names, sound or not."""
    result = opened(raw)
    named = result.get("supportedVersions") if isinstance(result, dict) else None
    return (
        tuple([each for each in named if isinstance(each, str)][:20])
        if isinstance(named, list)
        else ()
    )


def _diagnose(raw: bytes) -> Fault:
    result = opened(raw)
    if not isinstance(result, dict):
        return Fault("missing_protocol_version", f"is {kind_of(result)} instead of an object")
    if not isinstance(result.get("protocolVersion"), str):
        return Fault("missing_protocol_version", "has no `protocolVersion` text")
    info = result.get("serverInfo")
    if not isinstance(info, dict) or not isinstance(info.get("name"), str):
        return Fault("missing_server_info", "has no `serverInfo` with a `name`")
    return Fault("missing_capabilities", "has no `capabilities` object")


def _diagnose_discovery(raw: bytes) -> Fault:
    result = opened(raw)
    if not isinstance(result, dict):
        return Fault("malformed", f"is {kind_of(result)} instead of an object")
    versions = result.get("supportedVersions")
    if not isinstance(versions, list) or not all(isinstance(each, str) for each in versions):
        return Fault("malformed", "has no `supportedVersions` list of texts")
    return Fault("malformed", "has no `capabilities` object")


def opened(raw: bytes) -> object:
    """Any JSON, decoded; None for what is not."""
    try:
        return msgspec.json.decode(raw)
    except UNREADABLE:
        return None


def kind_of(value: object) -> str:
    """What a JSON value is, for a message."""
    names = {
        dict: "an object",
        list: "an array",
        str: "text",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(value), "a number")
