"""What the official SDK's client sees of a server: the oracle for ours."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from mcp.client import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters
from mcp.shared.exceptions import MCPError

from e2e.mcp_servers import NEW, Served

Listed = list[dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Seen:
    """Who answered, in which version, and its lists as they stand on the wire."""

    version: str
    server_name: str
    parts: Mapping[str, Any]

    @property
    def tools(self) -> Listed:
        """The tools, in the server's order."""
        tools: Listed = self.parts["tools"]
        return tools


def client_of(served: Served) -> Client:
    """The SDK's client for one door; it asks in the door's era."""
    mode = "auto" if served.door.version == NEW else "legacy"
    if served.door.transport == "stdio":
        program, *arguments = served.command
        return Client(StdioServerParameters(command=program, args=arguments), mode=mode)
    if served.door.transport == "sse":
        return Client(sse_client(served.url), mode=mode)
    return Client(served.url, mode=mode)


async def see(served: Served) -> Seen:
    """Visit once and read every list that the server has."""
    async with client_of(served) as client:
        capabilities = dumped(client.server_capabilities)
        parts: dict[str, Any] = {
            "capabilities": capabilities,
            "serverInfo": dumped(client.server_info),
            "instructions": client.instructions,
            "tools": await every(client.list_tools, "tools"),
        }
        if "resources" in capabilities:
            parts["resources"] = await every(client.list_resources, "resources")
            parts["resourceTemplates"] = await every(
                client.list_resource_templates, "resourceTemplates"
            )
        if "prompts" in capabilities:
            parts["prompts"] = await every(client.list_prompts, "prompts")
        return Seen(str(client.protocol_version), str(client.server_info.name), parts)


async def every(ask: Callable[..., Any], member: str) -> Listed:
    """All pages of one list; an optional list that the server does not know is empty."""
    found: Listed = []
    cursor: str | None = None
    while True:
        try:
            page = await ask(cursor=cursor)
        except MCPError:
            return found
        found += dumped(page)[member]
        cursor = page.next_cursor
        if not cursor:
            return found


def dumped(value: Any) -> Any:
    """A value of the SDK as it stood on the wire."""
    return value.model_dump(by_alias=True, exclude_unset=True, mode="json")
