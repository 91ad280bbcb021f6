"""The official SDK's MCP server under uvicorn on loopback: the oracle that is not ours."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from mcp.server.mcpserver import MCPServer


def build_server() -> MCPServer:
    """A server with two tools."""
    server = MCPServer("oracle", version="7.1")

    @server.tool()
    def add(a: int, b: int) -> int:
        """Add two numbers."""
        return a + b

    @server.tool()
    def shout(text: str) -> str:
        """Say it loudly."""
        return text.upper()

    return server


@asynccontextmanager
async def sdk_server(*, is_stateless: bool, server: MCPServer | None = None) -> AsyncIterator[str]:
    """The URL of a running server: stateless with JSON answers, or with sessions and event streams."""
    app = (server or build_server()).streamable_http_app(
        stateless_http=is_stateless, json_response=is_stateless
    )
    with socket.create_server(("127.0.0.1", 0)) as listener:
        config = uvicorn.Config(app, log_level="error", lifespan="on", ws="none")
        embedded = _Embedded(config)
        task = asyncio.create_task(embedded.serve(sockets=[listener]))
        await embedded.ready.wait()
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        finally:
            embedded.should_exit = True
            await task


class _Embedded(uvicorn.Server):
    """A server that says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, then say so."""
        await super().startup(sockets)
        self.ready.set()
