"""Targets in one small fast process: an MCP server, a port that accepts, and addresses that never answer.

`python -m bench.farm MCP_PORT HANG_PORT HANGING` serves MCP on every address of `ADDRESSES`, and takes connections
without ever answering on `HANGING` addresses of 127.1.0.0/16. It says `ready` when it listens.
"""

import asyncio
import json
import socket
import sys
from typing import cast

import httptools
import uvloop

ADDRESSES = tuple(f"127.0.0.{number}" for number in range(1, 17))
"""Checks leave from one port each, and a port rests for a minute after use: 16 addresses give 7,000 a second."""

_SERVER = {
    "protocolVersion": "2025-06-18",
    "capabilities": {"tools": {"listChanged": False}},
    "serverInfo": {"name": "bench", "version": "1"},
}
_TOOLS = {
    "tools": [
        {
            "name": f"tool_{number}",
            "description": "A tool of ordinary size that does nothing at all but stand in a list.",
            "inputSchema": {
                "type": "object",
                "properties": {"query": {"type": "string"}, "limit": {"type": "integer"}},
            },
        }
        for number in range(10)
    ]
}


def hanging_address(number: int) -> str:
    """The address of the n-th target that never answers."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


class MCP(asyncio.Protocol):
    """Streamable HTTP with JSON answers: what initialize, initialized and tools/list need, and no more."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._body = b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports do not derive from asyncio's, so they cannot be told apart by isinstance.
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        body, self._body = self._body, b""
        assert self._transport is not None
        self._transport.write(_answer(body))


def _answer(body: bytes) -> bytes:
    try:
        call = json.loads(body)
    except ValueError:
        return b"HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"
    if "id" not in call:
        return b"HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"
    reply: dict[str, object] = {"jsonrpc": "2.0", "id": call["id"]}
    known = {"initialize": _SERVER, "tools/list": _TOOLS}
    if call["method"] in known:
        reply["result"] = known[call["method"]]
    else:
        reply["error"] = {"code": -32601, "message": "Method not found"}
    text = json.dumps(reply, separators=(",", ":")).encode()
    head = (
        f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n"
    )
    return head.encode() + text


async def serve(mcp_port: int, hang_port: int, hanging: int) -> None:
    """Listen on everything and stay."""
    loop = asyncio.get_running_loop()
    for address in ADDRESSES:
        sock = socket.create_server((address, mcp_port), backlog=4096)
        await loop.create_server(MCP, sock=sock)
    for number in range(hanging):
        sock = socket.create_server((hanging_address(number), hang_port), backlog=64)
        await loop.create_server(asyncio.Protocol, sock=sock)
    print("ready", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    uvloop.run(serve(*(int(word) for word in sys.argv[1:4])))
